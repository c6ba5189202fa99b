"""`triage explain`: the execution that it starts and waits for, and its page and charts."""

import json
from io import BytesIO

import pytest

from cli.aws import explanations
from cli.aws.deployment import Deployment
from cli.commands import explain as command
from cli.errors import CommandError
from cli.pages import explanation
from tests.factories import any_explanation, any_explanation_request
from triage.explanation.delivered import Delivered
from triage.explanation.delivery import deliver
from triage.explanation.record import Checks

MACHINE = "arn:aws:states:eu-west-2:123456789012:stateMachine:explanation"
TEXT = "My mortgage was sold. <b>Nobody</b> told me."


class States:
    """A fake of Step Functions. The executions end with the given statuses, in the order in which they start."""

    class exceptions:  # noqa: N801  # the name is boto3's
        class ExecutionAlreadyExists(Exception):  # noqa: N818
            pass

    def __init__(self, *endings: str, there: tuple[str, ...] = ()) -> None:
        self._endings = list(endings)
        self._statuses = {name: self._endings.pop(0) for name in there}

    def start_execution(self, *, stateMachineArn, name, input):  # noqa: N803
        if name in self._statuses:
            raise self.exceptions.ExecutionAlreadyExists
        self._statuses[name] = self._endings.pop(0)
        return {"executionArn": f"{stateMachineArn.replace(':stateMachine:', ':execution:')}:{name}"}

    def describe_execution(self, *, executionArn):  # noqa: N803
        return {"status": self._statuses[executionArn.rsplit(":", 1)[1]], "cause": "no model was asked"}

    @property
    def names(self):
        return list(self._statuses)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(explanations, "POLL_SECONDS", 0)


def wait(states: States, seconds: float = 5) -> None:
    explanations.wait_until_explained(states, MACHINE, any_explanation_request(), seconds)  # type: ignore[arg-type]


def test_an_execution_is_named_after_its_request():
    states = States("SUCCEEDED")
    wait(states)
    assert states.names == [any_explanation_request().request_id]
    assert any_explanation_request(purpose="another").request_id != states.names[0]


def test_a_running_execution_is_waited_for_and_not_started_again():
    states = States("SUCCEEDED", there=(any_explanation_request().request_id,))
    wait(states)
    assert len(states.names) == 1


def test_a_failed_execution_is_tried_again_under_another_name():
    states = States("FAILED", "SUCCEEDED", there=(any_explanation_request().request_id,))
    wait(states)
    first, second = states.names
    assert second.startswith(f"{first}-")


def test_an_execution_that_fails_says_why():
    with pytest.raises(CommandError, match="no model was asked"):
        wait(States("FAILED"))


def test_waiting_ends_after_the_timeout():
    with pytest.raises(CommandError, match="not explained within"):
        wait(States("RUNNING"), seconds=0.01)


def test_a_role_that_cannot_be_assumed_ends_the_command(shell, monkeypatch):
    class Refusing(Deployment):
        def acting_as(self, role):
            raise CommandError(f"{role} was refused")

        def name(self, parameter):
            return parameter

        @property
        def operator(self):
            return "ann"

    monkeypatch.setattr(command, "find", lambda env, state: Refusing(None, env))  # type: ignore[arg-type]
    code, _, err = shell("explain", "8123456")
    assert code == 1 and "explainer-role was refused" in err


@pytest.mark.parametrize("wrong", [("--lawful-basis", "curiosity"), ("--seed", "-1"), ("--purpose", "<x>")])
def test_a_request_that_cannot_be_recorded_is_refused(shell, monkeypatch, wrong):
    monkeypatch.setattr(Deployment, "operator", "ann")
    monkeypatch.setattr(command, "find", lambda env, state: Deployment(None, env))  # type: ignore[arg-type]
    assert shell("explain", "8123456", *wrong)[0] == 2


@pytest.fixture
def delivered() -> Delivered:
    entry = any_explanation(TEXT, ends=(22, len(TEXT)))
    return deliver(entry, TEXT, requester="ann", delivered_at="2026-03-02T10:00:00.000Z")


def test_a_page_shows_text_figures_checks_and_versions_and_needs_nothing_beside_itself(delivered):
    page = explanation.page(delivered)
    for said in ("My mortgage was sold.", "+20.0 points", "passed", "legal obligation", "acme/model@", "<svg"):
        assert said in page
    assert "&lt;b&gt;Nobody" in page and "<b>Nobody" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    # A missing value is shown as "none", not as Python's None.
    assert "flagged from none" in page and "None" not in page


def test_an_explanation_that_failed_says_so_on_its_page():
    failed = any_explanation(TEXT, ends=(22, len(TEXT)))
    checks = Checks(additivity_residual=0.5, failures=("it misses",))
    entry = failed.model_copy(update={"explained": failed.explained.model_copy(update={"checks": checks})})
    page = explanation.page(deliver(entry, TEXT, requester="ann", delivered_at="2026-03-02T10:00:00.000Z"))
    assert "so do not rely on it" in page


def test_charts_are_pictures(delivered):
    assert explanation.svg(delivered).startswith("<svg")
    assert explanation.png(delivered).startswith(b"\x89PNG")


def test_a_delivery_is_read_and_a_refusal_is_shown(delivered):
    class Functions:
        def __init__(self, answer):
            self._answer = answer

        def client(self, service, **options):
            return self

        def invoke(self, **_):
            return self._answer

    def handed(answer):
        return explanations.delivered(Functions(answer), "name", any_explanation_request())  # type: ignore[arg-type]

    content = delivered.model_dump_json().encode()
    assert handed({"Payload": BytesIO(content)}) == delivered
    refusal = json.dumps({"errorMessage": "the complaint has changed"}).encode()
    with pytest.raises(CommandError, match="has changed"):
        handed({"Payload": BytesIO(refusal), "FunctionError": "Unhandled"})
