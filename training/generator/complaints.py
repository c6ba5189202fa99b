"""Complaints with their labels, in the order they would arrive."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from training.generator.letters import Subject, compose, write
from training.generator.people import Person, draw_person
from training.generator.phrases import Matter, Phrases, load_phrases
from training.generator.slots import Slots
from triage.complaint import timestamp
from triage.taxonomy import load_taxonomy

FIRST_ARRIVAL = datetime(2026, 1, 5, 8, tzinfo=UTC)
MEAN_GAP_S = 12.0
"""Seconds between complaints: 7,200 a day, the middle of what the bank receives."""

SECOND_MATTER_SHARE = 0.15
RETURNING_SHARE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedComplaint:
    """A raw complaint and its truth.

    product, issue: labels of the taxonomy. vulnerable: whether the writer is, by FCA's `driver`; tags, the account's
    flag and the narrative each tell only some of it.
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
    """Yield `count` complaints, the same for the same arguments; fewer are the beginning of more.

    mix: relative frequency by product; one it leaves out does not occur. Default: a bank's.
    drift: share of letters with new scams and names; the mix shifts towards what they are about by as much.
    typo_rate: of words with four letters or more.

    Raises ValueError for a share outside [0, 1] or a mix without weight, UnknownProductError for a mix of other names.
    """
    if count < 0:
        raise ValueError(f"count must not be negative, is {count}")
    for name, share in (("drift", drift), ("typo_rate", typo_rate), ("vulnerable_share", vulnerable_share)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share between 0 and 1, not {share}")
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
    """What complaints are drawn from. bounds: the matters' weights, added up."""

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
    """The weight of each matter: the product's share, moved by drift, spread over its matters."""
    for name in mix or {}:
        load_taxonomy().product(name)
    if mix is not None and (min(mix.values(), default=0) < 0 or sum(mix.values()) <= 0):
        raise ValueError("a mix needs weights that are not negative and do not add up to 0")
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
            writer = draw_person(rng, source.phrases, number=number, vulnerable_share=source.vulnerable_share)
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


def _second_matter(rng: Random, source: _Source, first: Matter) -> Matter:
    """Another issue of the same product in half of the cases, any matter otherwise."""
    if rng.random() < 0.5:
        return rng.choice(source.phrases.products[first.product].matters)
    return source.matter(rng)
