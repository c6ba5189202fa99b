"""`triage smoke` on tables of moto: each step, with a machine that triages in this process."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.aws import smoke as module
from cli.aws.deployment import Deployment
from cli.aws.functions import invoke
from cli.aws.smoke import LETTERS, PREFIX, Smoke, announced_event
from cli.errors import CommandError
from runtime.seal import build as sealing
from tests.cli.commands import ENV, MACHINE
from tests.cli.conftest import publish
from tests.factories import (
    NOW,
    answered,
    any_allocation_request,
    any_explanation,
    any_model_reference,
    any_prediction,
    any_selection,
)
from triage.allocation import allocate
from triage.clock import load_clocks
from triage.explanation.delivered import Delivered, Passage
from triage.functions import SealEnvironment
from triage.outbox import ALLOCATED
from triage.steps import ModelReference
from triage.taxonomy import load_taxonomy
from triage.vulnerability import Stated

STEPS = ["put", "allocated", "announced", "sealed", "explained", "erased"]
SEALING = SealEnvironment(
    code_version="test",
    metrics_namespace="ComplaintsTriage/test",
    complaints_allocation_table="complaints_allocation",
    audit_chain_table="audit_chain",
    anchors_bucket="anchors",
    retention_days=90,
    stale_after_seconds=90,
    sweep_every_seconds=60,
    sweep_slices=1,
    verify_slices=1,
)


@dataclass
class Triaging:
    """Allocates each complaint as it is put. Every part can be broken."""

    deployment: Deployment
    models: tuple[ModelReference, ...] = field(default_factory=lambda: (any_model_reference(task="product"),))
    puts: bool = True
    allocates: bool = True
    answers: bool = True
    seals: bool = True
    journey: str = "specialist"
    erases: bool = True
    reproduced: bool = True

    def put_if_absent(self, item: dict[str, Any]) -> bool:
        if not self.puts:
            raise CommandError("raw_complaints is gone")
        complaint_id = str(item["complaint_id"])
        state = ALLOCATED if self.allocates else "started"
        self.deployment.complaints.put({**item, "triage_execution": complaint_id, "triage_state": state})
        if self.allocates:
            self._allocate(complaint_id, flagged=bool(item.get("account_vulnerable")))
        return True

    def _allocate(self, complaint_id: str, *, flagged: bool) -> None:
        predictions = [any_prediction(complaint_id=complaint_id, model=one) for one in self.models if self.answers]
        stated = (Stated(source="account", what="flag"),) if flagged else ()
        selection = any_selection(complaint_id=complaint_id, models=self.models, stated=stated)
        allocation = allocate(
            any_allocation_request(complaint_id=complaint_id, outcomes=answered(*predictions)),
            selection=selection,
            predictions=predictions,
            taxonomy=load_taxonomy(),
            clocks=load_clocks(),
            now=NOW,
            code_version="test",
        )
        if flagged:
            allocation = allocation.model_copy(update={"journey": self.journey})
        for record in (selection, *predictions, allocation):
            self.deployment.story.put(record)
        if self.seals:
            self._seal(complaint_id)

    def _seal(self, complaint_id: str) -> None:
        keys = [(complaint_id, str(item["entry"])) for item in self.deployment.story.query(complaint_id)]
        records = [{"Keys": {"complaint_id": {"S": one}, "entry": {"S": entry}}} for one, entry in keys]
        sealing(SEALING, self.deployment.session)(
            {"Records": [{"eventName": "INSERT", "dynamodb": record} for record in records]}, None
        )

    def invoke(self, session: Any, function: str, request: Any, *, gives: Any) -> Any:
        if not self.erases:
            raise CommandError("erase is out of order")
        answer = invoke(session, function, request, gives=gives)
        if self.seals:
            self._seal(request.complaint_id)
        return answer

    def explanation(self, deployment: Deployment, request: Any, *, timeout_seconds: float) -> Delivered:
        entry = any_explanation("My card was refused.")
        explained = entry.explained.model_copy(update={"reproduced": self.reproduced})
        return Delivered(
            explanation=entry.model_copy(update={"explained": explained}),
            delivered_at="2026-03-02T10:00:00.000Z",
            requester=request.requester,
            sentences=(Passage(text="My card was refused.", label=0.2, runner_up=0.0),),
            unread="",
        )


@pytest.fixture
def triaging(functions, monkeypatch) -> Triaging:
    found = Triaging(functions)
    publish(functions.session, "state-machine", MACHINE)
    monkeypatch.setattr("cli.commands.smoke.find", lambda env, state: functions)
    monkeypatch.setattr(functions.complaints, "put_if_absent", found.put_if_absent)
    monkeypatch.setattr(module, "announced_event", lambda states, execution: f"event of {execution[-3:]}")
    monkeypatch.setattr(module, "invoke", found.invoke)
    monkeypatch.setattr(module, "explanation", found.explanation)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    return found


def smoke(triage) -> tuple[int, dict[str, dict[str, Any]]]:
    result = triage("smoke", "--timeout", 1, "--json", *ENV)
    found = result.json
    assert set(found) == {"passed", "steps"} and found["passed"] is (result.code == 0)
    assert all(set(step) == {"name", "ok", "detail", "seconds"} for step in found["steps"])
    return result.code, {step["name"]: step for step in found["steps"]}


def failed(steps: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, step in steps.items() if not step["ok"]]


def test_a_machine_that_works_passes_and_nothing_of_the_complaints_is_left(triage, triaging):
    code, steps = smoke(triage)
    assert (code, list(steps), failed(steps)) == (0, STEPS, [])
    assert steps["put"]["detail"].count(PREFIX) == len(LETTERS)
    assert f"product: {triaging.models[0].version}" in steps["allocated"]["detail"]
    assert "2 of" not in steps["sealed"]["detail"] and "links" in steps["sealed"]["detail"]
    assert "1 sentences" in steps["explained"]["detail"]
    assert list(triaging.deployment.complaints.scan()) == []


def test_people_see_a_table_with_what_to_do(triage, triaging):
    triaging.models = ()
    result = triage("smoke", *ENV)
    assert result.code == 0
    assert "Smoke test of dev" in result.out and "register and activate one" in result.out


def test_an_environment_without_models_passes_and_says_so(triage, triaging):
    triaging.models = ()
    code, steps = smoke(triage)
    assert code == 0
    for step in ("allocated", "explained"):
        assert "no model takes part, so people triage every complaint" in steps[step]["detail"]


@pytest.mark.parametrize(
    ("broken", "step", "said"),
    [
        ({"puts": False}, "put", "raw_complaints is gone"),
        ({"allocates": False}, "allocated", "not allocated within 1 s"),
        ({"answers": False}, "allocated", "did not answer"),
        ({"journey": "standard"}, "allocated", "flagged as vulnerable"),
        ({"seals": False}, "sealed", "does not verify"),
        ({"reproduced": False}, "explained", "does not give product"),
        ({"erases": False}, "erased", "erase is out of order"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_broken_part_fails_its_step_and_no_text_is_left(triage, triaging, broken, step, said):
    for name, value in broken.items():
        setattr(triaging, name, value)
    code, steps = smoke(triage)
    assert code == 1 and failed(steps)[0] == step
    assert said in steps[step]["detail"]
    assert list(triaging.deployment.complaints.scan()) == []


def test_an_execution_that_announced_nothing_fails(triage, triaging, monkeypatch):
    monkeypatch.setattr(module, "announced_event", lambda states, execution: None)
    _, steps = smoke(triage)
    assert failed(steps) == ["announced"] and "Announce" in steps["announced"]["detail"]


def test_an_interrupted_run_erases_what_it_put(triaging, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Smoke, "_sealed", interrupted)
    steps = Smoke(triaging.deployment, seconds=1)
    with pytest.raises(KeyboardInterrupt):
        steps.run()
    assert list(triaging.deployment.complaints.scan()) == []


def test_without_a_deployment_no_step_is_tried(triage, aws):
    result = triage("smoke", *ENV)
    assert result.code == 4 and "make deploy ENVIRONMENT=dev" in result.err


def test_the_event_is_read_from_the_history_and_no_other_task_is_taken_for_it():
    def told(output: str) -> dict[str, Any]:
        return {"taskSucceededEventDetails": {"output": output}}

    class States:
        def __init__(self, *outputs: str) -> None:
            self._pages = [{"events": [{}, told(output)]} for output in outputs]

        def get_paginator(self, operation: str) -> "States":
            return self

        def paginate(self, *, executionArn: str) -> list[dict[str, Any]]:  # noqa: N803  # the name is boto3's
            return self._pages

    allocated, refused = '{"complaint_id": "smoke-1"}', '{"FailedEntryCount": 1, "Entries": [{}]}'
    put = '{"FailedEntryCount": 0, "Entries": [{"EventId": "e-7"}]}'
    assert announced_event(States(allocated, put), "any") == "e-7"  # type: ignore[arg-type]
    assert announced_event(States(allocated, "3", refused), "any") is None  # type: ignore[arg-type]
