import json
from dataclasses import replace

import numpy as np

from tests.training.evaluation.examples import LABELS, any_judged, any_predictions, evaluated, evaluation_of
from training.bundle.seen import digests_of
from training.evaluation.evaluation import document
from training.evaluation.measures import MEASURES

ASKED_FOR = {
    "task",
    "n",
    "accuracy",
    "macro_f1",
    "top3_accuracy",
    "coverage",
    "auto_accuracy",
    "recall",
    "precision",
    "average_precision",
    "intervals",
}


def test_the_document_has_the_figures_at_its_top_level():
    told = document(evaluated())
    assert told.keys() >= ASKED_FOR | MEASURES.keys()
    assert (told["task"], told["n"]) == ("product", 60)
    low, high = told["intervals"]["accuracy"]
    assert low <= told["accuracy"] <= high


def test_the_document_is_json_without_nan():
    for task in ("product", "vulnerable"):
        told = json.dumps(document(evaluated(task)), allow_nan=False)
        assert json.loads(told)["n"] == 60


def test_no_narrative_is_in_the_document():
    assert "word word" not in json.dumps(document(evaluated()))


def test_both_mixes_stand_beside_each_other():
    mixes = document(evaluated())["mixes"]
    assert mixes.keys() == {"natural", "bank-like"}
    assert mixes["natural"]["figures"]["accuracy"] == document(evaluated())["accuracy"]


def test_the_rule_is_of_vulnerable_alone():
    assert evaluated().with_rule is None
    assert evaluated("vulnerable").with_rule is not None


def test_the_label_of_the_recall_is_stated():
    assert evaluated().recall_of == "macro average"
    assert evaluated("vulnerable").recall_of == "vulnerable"


def test_complaints_that_the_model_was_made_from_are_counted():
    predictions = any_predictions(any_judged(20))
    texts = tuple(f"letter {number}" for number in range(20))
    predictions = replace(predictions, texts=texts)
    assert evaluation_of(predictions, seen=digests_of(texts)).subject.seen == 20
    assert evaluation_of(predictions, seen=digests_of([*texts[:3], "another"])).subject.seen == 3
    assert evaluation_of(predictions).subject.seen == 0
    assert evaluation_of(predictions, seen=None).subject.seen is None


def test_labels_that_the_model_does_not_know_are_counted():
    judged = any_judged(20, truth=np.array([*[LABELS[0]] * 17, *["Prepaid card"] * 3]))
    assert evaluation_of(any_predictions(judged)).unknown == 3
