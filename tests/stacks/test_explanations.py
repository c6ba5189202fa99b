"""Explanations are made on request, by functions of their own, apart from triage."""

import json
from typing import get_args

import pytest

from triage.bundle import Engine


@pytest.fixture
def states(synthesis):
    return synthesis.explanation_definition["States"]


def test_what_decided_is_found_before_it_is_asked(synthesis, states):
    assert synthesis.explanation_definition["StartAt"] == "FindDecision"
    assert states["FindDecision"]["Next"] == "Engine"


def test_every_engine_explains_itself(states):
    served = {rule["StringEquals"]: rule["Next"] for rule in states["Engine"]["Choices"]}
    assert served == {"onnx": "Explain", "transformers": "ExplainTransformers"}
    assert served.keys() == set(get_args(Engine))


def test_nothing_of_triage_or_of_shadows_starts_or_shares_it(synthesis):
    ours = {path for path in synthesis.functions if path in json.dumps(synthesis.explanation_definition)}
    assert ours == {"Explanations/FindDecision", "Explanations/Explain", "Explanations/ExplainTransformers"}
    assert "Explanations" not in json.dumps([synthesis.definition, synthesis.shadow_definition])
    targets = [rule["Targets"] for rule in synthesis.stateless.of_type("AWS::Events::Rule").values()]
    assert "Explanation" not in json.dumps(targets)
