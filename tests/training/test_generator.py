import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from training.generator import GeneratedComplaint, generate
from training.generator.complaints import FIRST_ARRIVAL
from training.generator.letters import LONGEST, MISSPELLINGS, SHORTEST, Slots, Subject, compose, write
from training.generator.phrases import Person, load_phrases
from triage.complaint import Complaint
from triage.contracts import Contract
from triage.errors import UnknownProductError
from triage.taxonomy import load_taxonomy

MONEY = "Money transfer, virtual currency, or money service"
SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0, 1)


@pytest.fixture(scope="module")
def complaints() -> list[GeneratedComplaint]:
    return list(generate(10_000, seed=1))


def share(values) -> float:
    counted = Counter(map(bool, values))
    return counted[True] / counted.total()


def says(complaint: GeneratedComplaint, sentences) -> bool:
    """Return whether the letter contains one of the sentences, in spite of typos and filled slots."""
    text = complaint.narrative.lower()
    return any(max(sentence.split("{"), key=len).split("}")[-1].strip().lower() in text for sentence in sentences)


@given(seed=SEEDS, count=st.integers(0, 20), drift=SHARES, typo_rate=SHARES, vulnerable_share=SHARES)
def test_the_same_arguments_give_the_same_complaints(seed, count, drift, typo_rate, vulnerable_share):
    arguments = {"seed": seed, "drift": drift, "typo_rate": typo_rate, "vulnerable_share": vulnerable_share}
    complaints = list(generate(count, **arguments))
    assert len(complaints) == count
    assert complaints == list(generate(count, **arguments))
    assert complaints == list(generate(count + 5, **arguments))[:count]


def test_another_seed_gives_other_letters(complaints):
    assert not {c.narrative for c in generate(100, seed=2)} & {c.narrative for c in complaints}


@given(seed=SEEDS, drift=SHARES)
def test_labels_are_of_the_taxonomy_and_ids_count_on(seed, drift):
    taxonomy = load_taxonomy()
    for number, complaint in enumerate(generate(10, seed=seed, drift=drift)):
        assert complaint.complaint_id == f"demo-{number:06d}"
        assert taxonomy.has_issue(complaint.product, complaint.issue)


def test_every_issue_of_every_product_occurs(complaints):
    labels = {(product.name, issue) for product in load_taxonomy().products for issue in product.issues}
    assert {(complaint.product, complaint.issue) for complaint in complaints} == labels


def test_complaints_arrive_one_after_the_other_some_thousands_a_day(complaints):
    moments = [datetime.fromisoformat(complaint.received_at) for complaint in complaints]
    assert moments == sorted(moments)
    days = (moments[-1] - moments[0]).total_seconds() / 86_400
    assert 3_000 < len(complaints) / days < 15_000


def test_no_two_letters_are_alike(complaints):
    assert len({complaint.narrative for complaint in complaints}) > 0.995 * len(complaints)


@given(seed=SEEDS, new=st.booleans(), vulnerable=st.booleans(), second=st.booleans())
def test_a_letter_has_two_to_twelve_different_sentences_with_nothing_left_to_fill_in(seed, new, vulnerable, second):
    rng, phrases = Random(seed), load_phrases()
    product = rng.choice(list(phrases.products.values()))
    matter = rng.choice(product.matters)
    writer = Person(customer_id=None, cues=phrases.circumstances[0].cues if vulnerable else ())
    subject = Subject(matter=matter, second=rng.choice(product.matters) if second else None, writer=writer, new=new)
    sentences = compose(rng, phrases, subject, Slots(rng, phrases, received=FIRST_ARRIVAL, new=new))
    assert SHORTEST <= len(sentences) <= LONGEST
    assert not [sentence for sentence in sentences if set("{}@") & set(sentence.replace("@example.com", ""))]


def test_letters_differ_in_length_and_tone(complaints):
    words = sorted(len(complaint.narrative.split()) for complaint in complaints)
    assert words[-500] > 3 * words[500]
    assert 0.01 < share(complaint.narrative.isupper() for complaint in complaints) < 0.06
    assert 0.04 < share(complaint.narrative.islower() for complaint in complaints) < 0.15
    assert share("!" in complaint.narrative for complaint in complaints) > 0.04
    assert share("\n\n" in complaint.narrative for complaint in complaints) > 0.04


def test_every_sentence_can_be_filled():
    phrases = load_phrases()
    for new in (False, True):
        slots = Slots(Random(0), phrases, received=FIRST_ARRIVAL, new=new)
        for product in phrases.products.values():
            sentences = [*phrases.vague, *phrases.distractors, *phrases.new_anywhere, *product.context]
            sentences += [s for matter in product.matters for s in (*matter.sentences, *matter.drifted)]
            sentences += [s for part in phrases.letter.values() for s in part]
            sentences += [s for circumstance in phrases.circumstances for s in circumstance.cues]
            assert all("{" not in slots.fill(sentence, product.nouns) for sentence in sentences)


def test_every_issue_has_at_least_three_sentences():
    matters = [matter for product in load_phrases().products.values() for matter in product.matters]
    assert not [matter.issue for matter in matters if len(set(matter.sentences)) < 3]


def test_the_same_person_or_firm_goes_through_a_letter():
    slots = Slots(Random(0), load_phrases(), received=FIRST_ARRIVAL, new=False)
    assert len({slots.fill("{merchant}", ()) for _ in range(20)}) == 1


def test_a_tag_or_a_flag_is_only_on_vulnerable_writers(complaints):
    known = [complaint for complaint in complaints if complaint.tags or complaint.account_vulnerable]
    assert all(complaint.vulnerable for complaint in known)
    assert {tag for complaint in known for tag in complaint.tags} == {"Older American", "Servicemember"}


def test_vulnerability_has_all_four_drivers_and_the_share_asked_for(complaints):
    assert 0.10 < share(complaint.vulnerable for complaint in complaints) < 0.14
    drivers = {complaint.driver for complaint in complaints if complaint.vulnerable}
    assert drivers == {"health", "life events", "resilience", "capability"}
    assert not any(complaint.driver for complaint in complaints if not complaint.vulnerable)
    assert all(complaint.vulnerable for complaint in generate(50, seed=3, vulnerable_share=1))
    assert not any(complaint.vulnerable for complaint in generate(50, seed=3, vulnerable_share=0))


def test_no_source_alone_finds_all_the_vulnerable(complaints):
    cues = [cue for circumstance in load_phrases().circumstances for cue in circumstance.cues]
    vulnerable = [complaint for complaint in complaints if complaint.vulnerable]
    assert 0.1 < share(complaint.tags for complaint in vulnerable) < 0.5
    assert 0.1 < share(complaint.account_vulnerable for complaint in vulnerable) < 0.5
    assert 0.4 < share(says(complaint, cues) for complaint in vulnerable) < 0.9
    untold = [complaint for complaint in vulnerable if not complaint.tags and not complaint.account_vulnerable]
    assert share(says(complaint, cues) for complaint in untold) > 0.9


def test_the_words_of_vulnerability_also_occur_in_other_letters(complaints):
    others = [complaint for complaint in complaints if not complaint.vulnerable]
    for word in ("veteran", "senior", "elderly", "army", "hospital", "mother"):
        assert any(word in complaint.narrative.lower() for complaint in others), word


def test_a_customer_who_returns_is_the_same_person(complaints):
    facts: dict[str, set[tuple[object, ...]]] = {}
    for complaint in complaints:
        if complaint.customer_id:
            facts.setdefault(complaint.customer_id, set()).add((complaint.tags, complaint.driver))
    assert all(len(known) == 1 for known in facts.values())
    assert len(facts) < 0.95 * sum(complaint.customer_id is not None for complaint in complaints)
    assert any(complaint.customer_id is None for complaint in complaints)


@given(seed=SEEDS, text=st.text())
def test_without_a_typo_rate_sentences_are_kept(seed, text):
    written = write(Random(seed), [text, "Second"], typo_rate=0)
    assert written.lower().startswith(text.lower()) or written == f"{text}. Second.".upper()


def test_typos_grow_with_their_rate():
    def wrong(typo_rate: float) -> int:
        words = [word for c in generate(200, seed=4, typo_rate=typo_rate) for word in c.narrative.lower().split()]
        return sum(word in MISSPELLINGS.values() for word in words)

    assert wrong(0) == 0 < wrong(0.1) < wrong(1)


@given(seed=SEEDS)
def test_a_typo_leaves_numbers_and_short_words(seed):
    written = write(Random(seed), ["paid $1,284.50 on 03/04/2025 to me"], typo_rate=1)
    assert {"$1,284.50", "03/04/2025"} <= set(written.split())


def test_a_mix_decides_which_products_occur():
    counted = Counter(
        complaint.product for complaint in generate(2_000, seed=5, mix={"Mortgage": 3, "Student loan": 1})
    )
    assert set(counted) == {"Mortgage", "Student loan"}
    assert 0.71 < counted["Mortgage"] / 2_000 < 0.79


@pytest.mark.parametrize("mix", [{}, {"Mortgage": 0.0}, {"Mortgage": 2.0, "Student loan": -1.0}])
def test_a_mix_without_positive_weights_is_refused(mix):
    with pytest.raises(ValueError, match="a weight of the mix is negative, or all are 0"):
        generate(1, seed=0, mix=mix)


def test_a_mix_of_another_taxonomy_is_refused():
    with pytest.raises(UnknownProductError, match="did you mean 'Credit card'"):
        generate(1, seed=0, mix={"Credit cards": 1.0})


@pytest.mark.parametrize("name", ["drift", "typo_rate", "vulnerable_share"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_share_outside_its_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is .*, and has to be a share"):
        generate(1, seed=0, **{name: value})


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="count"):
        generate(-1, seed=0)


def test_drift_brings_new_vocabulary_and_shifts_the_mix(complaints):
    phrases = load_phrases()
    new = [*phrases.new_anywhere, *(word for words in phrases.new_slots.values() for word in words)]
    half, full = (list(generate(3_000, seed=6, drift=drift)) for drift in (0.5, 1.0))
    news = [share(says(complaint, new) for complaint in each) for each in (complaints, half, full)]
    assert news[0] == 0
    assert news[2] > 0.5 and 0.3 < news[1] / news[2] < 0.7
    money = [share(complaint.product == MONEY for complaint in each) for each in (complaints, half, full)]
    assert money[0] < money[1] < money[2]


def test_the_product_can_be_learned_but_not_perfectly(complaints):
    train, test = complaints[:4_000], complaints[-1_000:]
    vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = SGDClassifier(random_state=0).fit(
        vectors.fit_transform([complaint.narrative for complaint in train]), [complaint.product for complaint in train]
    )
    predicted = model.predict(vectors.transform([complaint.narrative for complaint in test]))
    assert 0.88 < share(p == complaint.product for p, complaint in zip(predicted, test, strict=True)) < 0.98


def test_a_letter_is_an_item_that_triage_can_read():
    for complaint in generate(50, seed=7):
        item = {name: getattr(complaint, name) for name in ("complaint_id", "narrative", "customer_id", "tags")}
        read = Complaint.read({**item, "account_vulnerable": complaint.account_vulnerable})
        assert isinstance(read, Contract)
        assert (read.unreadable, read.doubts, read.tags) == (None, (), complaint.tags)


def test_two_thousand_complaints_take_less_than_a_second():
    started = time.process_time()
    list(generate(2_000, seed=8))
    assert time.process_time() - started < 1


def test_a_complaint_is_frozen():
    complaint = next(generate(1, seed=0))
    with pytest.raises(AttributeError):
        complaint.product = "Mortgage"  # type: ignore[misc]
    assert replace(complaint, product="Mortgage").product == "Mortgage"
