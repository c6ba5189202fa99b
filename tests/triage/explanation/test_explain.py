import pytest

from tests.factories import any_bundle, any_prediction
from triage.audit.replay import compare
from triage.bundle import Calibration
from triage.errors import NothingToExplainError
from triage.explanation.explain import Recorded, explain
from triage.explanation.rationale import rationale
from triage.inference.classify import REPLAY_TOLERANCE, classify
from triage.inference.engine import ReadingEngine, load_engine

LABELS = ("Mortgage", "Student loan")
LETTER = (
    "The weather was quite fine that day. My mortgage was sold to another mortgage bank. "
    "I had a student loan once. Nobody has answered me since then."
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    manifest = any_bundle(folder, labels=LABELS, max_length=256, calibration=Calibration(temperature=8.0))
    return load_engine(folder, manifest), manifest


def explained(served, text=LETTER, *, label=None, confidence=None, seed=0):
    engine, manifest = served
    answer = classify(text, engine=engine, manifest=manifest)
    recorded = Recorded(label or answer.label, answer.confidence if confidence is None else confidence)
    return explain(text, recorded, engine=engine, manifest=manifest, seed=seed)


def test_the_sentence_that_names_the_product_has_the_largest_effect(served):
    found = explained(served)
    assert (found.label, found.runner_up, found.reproduced) == ("Mortgage", "Student loan", True)
    assert [place for place, one in enumerate(found.sentences) if one.label > 0.05] == [1]
    assert found.sentences[2].label < -0.05 < 0.05 < found.sentences[2].runner_up
    assert found.sentences[0].label == pytest.approx(0, abs=1e-6)
    assert found.checks.passed


def test_base_and_sentences_sum_up_to_what_the_model_says(served):
    found = explained(served)
    assert found.base_value[0] + sum(one.label for one in found.sentences) == pytest.approx(found.full_value[0])
    assert found.full_value[0] == pytest.approx(found.replayed_confidence)
    assert found.base_value[1] + sum(one.runner_up for one in found.sentences) == pytest.approx(found.full_value[1])


def test_the_words_of_a_sentence_share_its_effect(served):
    found = explained(served)
    (inside,) = (words for words in found.words if words.sentence == 1)
    assert max(inside.words, key=lambda word: word.label).part.of(LETTER).strip() == "mortgage"
    assert sum(word.label for word in inside.words) == pytest.approx(inside.label)


def test_the_same_seed_gives_the_same_explanation(served):
    assert explained(served, seed=3) == explained(served, seed=3)


def test_the_sentences_joined_are_the_text(served):
    found = explained(served)
    assert "".join(one.part.of(LETTER) for one in found.sentences) == LETTER


def test_another_answer_than_the_recorded_one_is_said(served):
    found = explained(served, label="Student loan")
    assert not found.reproduced and found.label == "Student loan"
    assert "did NOT give the recorded answer" in rationale(found, model="acme/model@1", people=0)
    assert not explained(served, confidence=0.1).reproduced


@pytest.mark.parametrize(("share", "same"), [(0.0, True), (0.5, True), (2.0, False)])
def test_replay_and_explanation_agree_whether_an_answer_is_reproduced(served, share, same):
    engine, manifest = served
    answer = classify(LETTER, engine=engine, manifest=manifest)
    confidence = answer.confidence - share * REPLAY_TOLERANCE
    counted = {"tokens_seen": answer.tokens_seen, "tokens_total": answer.tokens_total}
    replay = compare(any_prediction(label=answer.label, confidence=confidence, top=(), **counted), answer)
    assert explained(served, confidence=confidence).reproduced is (replay.result != "different") is same


def test_text_beyond_the_models_length_is_not_explained(served):
    long = LETTER + " Then came more of it." * 40
    found = explained(served, long)
    cut = found.truncation
    assert cut.tokens_seen < cut.tokens_total and cut.characters_read < cut.characters_total == len(long)
    assert all(one.part.start < cut.characters_read for one in found.sentences)
    assert "longer than the model reads" in rationale(found, model="acme/model@1", people=1)


def test_one_sentence_is_explained_by_its_words(served):
    found = explained(served, "My mortgage is late")
    assert len(found.sentences) == 1
    assert (found.checks.faithfulness, found.checks.stability) == (None, None)
    assert max(found.words[0].words, key=lambda word: word.label).part.of("My mortgage is late").strip() == "mortgage"


def test_a_rationale_quotes_nobody(served):
    said = rationale(explained(served), model="acme/model@1", people=2)
    assert "Sentence 2 contributed most (+" in said and "2 feedback statements followed" in said
    assert not [word for word in ("weather", "sold", "answered") if word in said]


def test_a_label_that_the_model_does_not_have_cannot_be_explained(served):
    with pytest.raises(NothingToExplainError, match="does not have the recorded label"):
        explained(served, label="Pets")


def test_an_engine_that_cannot_hide_tokens_cannot_be_explained(served):
    _, manifest = served

    class Scorer:
        def score(self, text):
            return served[0].score(text)

    assert not isinstance(Scorer(), ReadingEngine)
    with pytest.raises(NothingToExplainError, match="hide"):
        explain(LETTER, Recorded("Mortgage", 0.5), engine=Scorer(), manifest=manifest, seed=0)


def test_with_nothing_hidden_a_reading_scores_as_the_engine_does(served):
    engine, _ = served
    reading = engine.read(LETTER)
    assert reading.score_without(()) == engine.score(LETTER).logits
    assert reading.mask == "[UNK]"
    word = LETTER.index("student")
    hidden = [place for place, (start, end) in enumerate(reading.tokens) if start == word and start < end]
    assert reading.score_without(hidden)[1] == 0
