import json
from hashlib import sha256

import pytest
from pydantic import ValidationError

from tests.triage.promotion.factories import any_evidence, any_operations, labels, weighed
from triage.promotion.evidence import Delivered, Evidence


def test_evidence_is_a_document_that_gives_the_same_evidence_back():
    evidence = weighed(labels(right=60, better=3, groups=("product:Mortgage",)))
    assert Evidence.model_validate_json(evidence.document()) == evidence


def test_the_same_evidence_has_the_same_bytes_whatever_the_order_of_its_labels():
    labelled = labels(right=5, better=3, worse=2, wrong=1)
    assert weighed(labelled).document() == weighed(labelled[::-1]).document()


def test_the_order_in_which_arms_were_counted_changes_no_bytes():
    one, other = (
        Delivered(intended=arms, counted=arms, p_value=1.0, strays=0, empty=())
        for arms in ({"champion": 9_000, "next": 1_000}, {"next": 1_000, "champion": 9_000})
    )
    assert any_evidence(delivered=one).document() == any_evidence(delivered=other).document()


def test_it_is_named_by_the_hash_of_its_document():
    evidence = any_evidence()
    digest = sha256(evidence.document()).hexdigest()
    assert evidence.reference().sha256 == digest
    assert digest in evidence.reference().key


def test_other_evidence_has_another_name():
    assert any_evidence(labels=1).reference() != any_evidence(labels=2).reference()


def test_its_document_is_plain_json_without_nan():
    assert json.loads(weighed([]).document(), parse_constant=pytest.fail)["labels"] == 0


def test_evidence_refuses_unknown_fields():
    with pytest.raises(ValidationError, match="narrative"):
        any_evidence(narrative="They closed my account.")


def test_a_model_that_only_fails_has_an_error_rate_of_one_and_one_that_was_not_asked_of_none():
    assert any_operations(predictions=0, failures=20).error_rate == 1
    assert any_operations(predictions=0, failures=0).error_rate == 0
    assert any_operations(predictions=60, failures=20).error_rate == 0.25
