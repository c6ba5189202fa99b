"""Complaints with their labels, in the order in which they arrive."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from training.generator.letters import Slots, Subject, compose, write
from training.generator.phrases import Matter, Person, Phrases, load_phrases
from triage.complaint import timestamp
from triage.taxonomy import load_taxonomy

FIRST_ARRIVAL = datetime(2026, 1, 5, 8, tzinfo=UTC)
MEAN_GAP_S = 12.0
"""Seconds between two complaints. This gives 7,200 a day, the middle of the range that the bank receives."""

SECOND_MATTER_SHARE = 0.15
RETURNING_SHARE = 0.10

TAGGED_SOURCES = (
    (("tag",), 0.30),
    (("text",), 0.25),
    (("tag", "text"), 0.25),
    (("flag",), 0.10),
    (("flag", "text"), 0.10),
)
UNTAGGED_SOURCES = ((("text",), 0.70), (("flag",), 0.15), (("flag", "text"), 0.15))
"""Invented shares of how a bank can know of a vulnerability.

Most tagged letters do not mention it, as in the CFPB's data: 13.5 % of the Servicemember rows use military words.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedComplaint:
    """A raw complaint and its true labels.

    product, issue: labels of the taxonomy. vulnerable: whether the writer is vulnerable; `driver` names the reason.
    Tags, the flag of the account and the narrative each reveal only some of the vulnerable writers.
    """

    complaint_id: str
    narrative: str
    received_at: str
    customer_id: str | None
    tags: tuple[str, ...]
    account_vulnerable: bool
    product: str
    issue: str
    vulnerable: bool
    driver: str | None

    @property
    def sub_product(self) -> None:
        return None

    @property
    def sub_issue(self) -> None:
        return None


def generate(
    count: int,
    *,
    seed: int,
    mix: Mapping[str, float] | None = None,
    drift: float = 0.0,
    typo_rate: float = 0.02,
    vulnerable_share: float = 0.12,
) -> Iterator[GeneratedComplaint]:
    """Yield `count` complaints, the same for the same arguments. A larger count only adds complaints at the end.

    mix: relative frequency of each product, by default those of a bank. A product that is left out does not occur.
    drift: share of letters about new scams; the mix of products shifts towards them as well.
    typo_rate: share of misspelt words among those with four letters or more.

    Raises:
        ValueError: a share is not between 0 and 1, or a mix has no positive weight.
        UnknownProductError: a mix names a product that is not in the taxonomy.
    """
    if count < 0:
        raise ValueError(f"count is {count}, and must not be negative: give 0 or more")
    for name, share in (("drift", drift), ("typo_rate", typo_rate), ("vulnerable_share", vulnerable_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is {share}, and has to be a share: give a number from 0 to 1")
    phrases = load_phrases()
    source = _Source(
        phrases=phrases,
        matters=tuple(matter for product in phrases.products.values() for matter in product.matters),
        bounds=tuple(accumulate(_weights(phrases, mix, drift))),
        drift=drift,
        typo_rate=typo_rate,
        vulnerable_share=vulnerable_share,
    )
    return _arrivals(count, Random(seed), source)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Everything that a complaint is drawn from. bounds: the running totals of the weights of the matters."""

    phrases: Phrases
    matters: tuple[Matter, ...]
    bounds: tuple[float, ...]
    drift: float
    typo_rate: float
    vulnerable_share: float

    def matter(self, rng: Random) -> Matter:
        (matter,) = rng.choices(self.matters, cum_weights=self.bounds)
        return matter


def _weights(phrases: Phrases, mix: Mapping[str, float] | None, drift: float) -> list[float]:
    """Return the weight of each matter: the share of its product, changed by drift, divided among its matters."""
    for name in mix or {}:
        load_taxonomy().product(name)
    if mix is not None and (min(mix.values(), default=0) < 0 or sum(mix.values()) <= 0):
        raise ValueError("a weight of the mix is negative, or all are 0: give at least one product a positive weight")
    weights = []
    for product in phrases.products.values():
        share = product.share if mix is None else mix.get(product.name, 0.0)
        share *= product.drift_factor**drift / sum(matter.weight for matter in product.matters)
        weights += [share * matter.weight for matter in product.matters]
    return weights


def _arrivals(count: int, rng: Random, source: _Source) -> Iterator[GeneratedComplaint]:
    received = FIRST_ARRIVAL
    known: deque[Person] = deque(maxlen=500)
    for number in range(count):
        received += timedelta(seconds=rng.expovariate(1 / MEAN_GAP_S))
        if known and rng.random() < RETURNING_SHARE:
            writer = rng.choice(known)
        else:
            writer = _person(rng, source.phrases, number=number, vulnerable_share=source.vulnerable_share)
            known.extend([writer] if writer.customer_id else [])
        yield _complaint(rng, source, number, received, writer)


def _complaint(rng: Random, source: _Source, number: int, received: datetime, writer: Person) -> GeneratedComplaint:
    new = rng.random() < source.drift
    matter = source.matter(rng)
    second = _second_matter(rng, source, matter) if rng.random() < SECOND_MATTER_SHARE else None
    subject = Subject(matter=matter, second=second, writer=writer, new=new)
    sentences = compose(rng, source.phrases, subject, Slots(rng, source.phrases, received=received, new=new))
    return GeneratedComplaint(
        complaint_id=f"demo-{number:06d}",
        narrative=write(rng, sentences, typo_rate=source.typo_rate),
        received_at=timestamp(received),
        customer_id=writer.customer_id,
        tags=writer.tags,
        account_vulnerable=writer.account_vulnerable,
        product=matter.product,
        issue=matter.issue,
        vulnerable=writer.vulnerable,
        driver=writer.driver,
    )


def _person(rng: Random, phrases: Phrases, *, number: int, vulnerable_share: float) -> Person:
    customer_id = f"customer-{number:06d}" if rng.random() < 0.95 else None
    if rng.random() >= vulnerable_share:
        return Person(customer_id=customer_id)
    (circumstance,) = rng.choices(phrases.circumstances, [kind.weight for kind in phrases.circumstances])
    choices = TAGGED_SOURCES if circumstance.tag else UNTAGGED_SOURCES
    (sources,) = rng.choices([source for source, _ in choices], [weight for _, weight in choices])
    return Person(
        customer_id=customer_id,
        tags=(circumstance.tag,) if circumstance.tag and "tag" in sources else (),
        account_vulnerable="flag" in sources,
        cues=circumstance.cues if "text" in sources else (),
        driver=circumstance.driver,
    )


def _second_matter(rng: Random, source: _Source, first: Matter) -> Matter:
    """Return another matter of the same product in half of the cases, and any matter otherwise."""
    if rng.random() < 0.5:
        return rng.choice(source.phrases.products[first.product].matters)
    return source.matter(rng)
