"""Sends synthetic complaints through a whole deployment, checks each stage, and erases them again.

Every call uses rights that a runner can be given for these complaints alone: their ids begin with `smoke-`, and roles
of the deployment explain and erase them. The announcement is read from the execution's history, because a listener of
its own would need the right to send the events of all complaints elsewhere.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from cli.aws.deployment import Deployment
from cli.aws.explanations import explanation
from cli.aws.functions import invoke
from cli.aws.records import find_records, findings
from cli.aws.submission import allocations
from cli.errors import CommandError, NotFoundError
from triage.audit.erasure import Erased, ErasureRequest
from triage.complaint import timestamp
from triage.errors import TriageError
from triage.outbox import ALLOCATED
from triage.steps import ExplanationRequest
from triage.story import SELECTION, AllocationEntry, SelectionEntry

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

PREFIX = "smoke-"
"""Begins the id of every synthetic complaint, so that people, subscribers and policies recognise them."""

BY = "triage smoke"
REASON = "synthetic complaint of triage smoke"
POLL_SECONDS = 0.5
NO_MODELS = "no model takes part, so people triage every complaint: register and activate one with `triage models`"

LETTERS: tuple[dict[str, Any], ...] = (
    {
        "narrative": "This is a synthetic complaint; no customer wrote it. My mortgage payment was taken twice. "
        "The bank does not answer my letters about the escrow account, and the loan is shown as late."
    },
    {
        "narrative": "This is a synthetic complaint; no customer wrote it. I did not make two of the purchases on my "
        "credit card. I disputed both charges, and the bank closed the dispute without a reason.",
        "account_vulnerable": True,
    },
)
"""What is put. The flag of the second alone has to lead to the specialist journey, with or without models."""


@dataclass(frozen=True)
class Step:
    """One stage. detail: what was seen, or what is wrong and what to do."""

    name: str
    ok: bool
    detail: str
    seconds: float


class StepFailedError(CommandError):
    """A stage gave another result than it should. The message says which, and where to look."""


@dataclass
class Smoke:
    """One run. seconds: how long each of allocation, sealing, explanation and erasure may take."""

    deployment: Deployment
    seconds: float
    on_begin: Callable[[str], None] = lambda name: None
    steps: list[Step] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    allocations: dict[str, AllocationEntry] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return all(step.ok for step in self.steps)

    def run(self) -> list[Step]:
        """Return the steps in order. What was put is erased, whatever happens."""
        try:
            if self._step("put", self._put):
                allocated = self._step("allocated", self._allocated)
                self._step("announced", self._announced)
                self._step("sealed", self._sealed)
                if allocated:
                    self._step("explained", self._explained)
                else:
                    self.steps.append(Step("explained", False, "not tried, because `allocated` failed", 0.0))
        finally:
            self._step("erased", self._erased)
        return self.steps

    def _step(self, name: str, check: Callable[[], str]) -> bool:
        self.on_begin(name)
        began = time.monotonic()
        try:
            ok, detail = True, check()
        except (CommandError, TriageError, BotoCoreError, ClientError, ValueError) as error:
            ok, detail = False, str(error)
        self.steps.append(Step(name, ok, detail, round(time.monotonic() - began, 3)))
        return ok

    def _put(self) -> str:
        run = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid4().hex[:6]}"
        for number, letter in enumerate(LETTERS, start=1):
            item = {"complaint_id": f"{run}-{number}", "received_at": timestamp(datetime.now(UTC)), **letter}
            # Noted before the put: a put whose answer was lost may have been done.
            self.ids.append(str(item["complaint_id"]))
            if not self.deployment.complaints.put_if_absent(item):
                raise StepFailedError(f"{item['complaint_id']} is there already: run the command again")
        return ", ".join(self.ids)

    def _allocated(self) -> str:
        self._until(
            self._all_settled,
            lambda: (
                f"{', '.join(self._open())} not allocated within {self.seconds:g} s: look at the executions of "
                "the state machine, and at `triage parked list`"
            ),
        )
        asked = {complaint_id: self._selection(complaint_id) for complaint_id in self.ids}
        for complaint_id, allocation in self.allocations.items():
            answered = {decision.model.version for decision in allocation.decisions}
            silent = [model for model in asked[complaint_id].models if model.version not in answered]
            if silent:
                reasons = "; ".join(reason.text for reason in allocation.reasons)
                raise StepFailedError(
                    f"{', '.join(f'{model.task} of {model.version}' for model in silent)} did not answer: {reasons}"
                )
        flagged = self.allocations[self.ids[-1]]
        if flagged.journey != "specialist":
            raise StepFailedError(
                f"{flagged.complaint_id} is flagged as vulnerable and takes the {flagged.journey} journey: it must "
                "take the specialist one; do not let this version triage"
            )
        teams = ", ".join(sorted({allocation.product_team for allocation in self.allocations.values()}))
        models = sorted({f"{model.task}: {model.version}" for found in asked.values() for model in found.models})
        slowest = max(allocation.milliseconds for allocation in self.allocations.values())
        return f"to {teams} in {slowest} ms at most; " + (", ".join(models) if models else NO_MODELS)

    def _all_settled(self) -> bool:
        """Whether every complaint has an allocation and its execution has settled the outbox."""
        self.allocations |= allocations(self.deployment, self._open())
        states = (self.deployment.complaints.get(one, attributes=("triage_state",)) or {} for one in self.ids)
        return not self._open() and all(found.get("triage_state") == ALLOCATED for found in states)

    def _open(self) -> list[str]:
        return [complaint_id for complaint_id in self.ids if complaint_id not in self.allocations]

    def _selection(self, complaint_id: str) -> SelectionEntry:
        item = self.deployment.story.get(complaint_id, SELECTION)
        if item is None:
            raise StepFailedError(f"{complaint_id} has no selection of models: read the logs of select_models")
        return SelectionEntry.model_validate(item)

    def _announced(self) -> str:
        events = {complaint_id: self._event(complaint_id) for complaint_id in self.ids}
        if silent := [complaint_id for complaint_id, event in events.items() if event is None]:
            raise StepFailedError(
                f"the bus took no event about {', '.join(silent)}: look at the state Announce of the execution"
            )
        return "the bus took the events " + ", ".join(str(event) for event in events.values())

    def _event(self, complaint_id: str) -> str | None:
        raw = self.deployment.complaints.get(complaint_id, attributes=("triage_execution",)) or {}
        if "triage_execution" not in raw:
            raise StepFailedError(f"no execution was started for {complaint_id}: read the logs of intake")
        machine = self.deployment.name("state-machine")
        execution = f"{machine.replace(':stateMachine:', ':execution:')}:{raw['triage_execution']}"
        return announced_event(self.deployment.session.client("stepfunctions"), execution)

    def _sealed(self) -> str:
        links = [self._verified(complaint_id) for complaint_id in self.ids]
        return f"the chains verify: {sum(links)} links"

    def _verified(self, complaint_id: str) -> int:
        """Return the number of links of a chain that verifies, once all records are sealed."""

        def unsealed() -> str:
            found = "; ".join(f"{one.entry}: {one.detail}" for one in findings(self.deployment, complaint_id)[:3])
            return f"{complaint_id} does not verify: {found}; read the logs of seal"

        self._until(lambda: not findings(self.deployment, complaint_id), unsealed)
        links = len(find_records(self.deployment, complaint_id).story.links)
        if not links:
            raise StepFailedError(f"{complaint_id} has no chain: read the logs of seal")
        return links

    def _explained(self) -> str:
        decided = [allocation for allocation in self.allocations.values() if allocation.decisions]
        if not decided:
            return f"nothing to explain: {NO_MODELS}"
        allocation = decided[0]
        request = ExplanationRequest(
            complaint_id=allocation.complaint_id,
            task=allocation.decisions[0].task,
            requester=BY,
            purpose=REASON,
            lawful_basis="legitimate interests",
        )
        handed = explanation(self.deployment, request, timeout_seconds=self.seconds)
        explained = handed.explanation.explained
        if not explained.reproduced:
            raise StepFailedError(
                f"the model does not give {request.task} of {request.complaint_id} again: look at its bundle, and at "
                f"`triage replay`"
            )
        failed = f"; its checks failed: {'; '.join(explained.checks.failures)}" if explained.checks.failures else ""
        return f"{request.task} {explained.label} in {len(handed.sentences)} sentences{failed}"

    def _erased(self) -> str:
        problems = [problem for complaint_id in self.ids for problem in self._erase(complaint_id)]
        if problems:
            raise StepFailedError("; ".join(problems))
        return "no text and no explanation is left; the records without text expire with their retention"

    def _erase(self, complaint_id: str) -> Iterator[str]:
        """Yield what went wrong. If the deployment cannot erase the complaint, its text is deleted here.

        An explanation, which holds no text, is left then: deleting it here would look like tampering.
        """
        with _problem_of(complaint_id) as problem:
            self._ask_for_erasure(complaint_id)
        if problem:
            self.deployment.complaints.delete(complaint_id)
            yield f"{problem[0]}; its text is deleted, and `triage erase {complaint_id}` erases the rest once it works"
            return
        with _problem_of(complaint_id) as problem:
            self._check_erasure(complaint_id)
        yield from problem

    def _ask_for_erasure(self, complaint_id: str) -> None:
        session = self.deployment.acting_as("privacy-officer-role")
        request = ErasureRequest(complaint_id=complaint_id, requester=BY, reason=REASON)
        deadline = time.monotonic() + self.seconds
        while True:
            try:
                invoke(session, self.deployment.name("erase-function"), request, gives=Erased)
                return
            except CommandError:
                # A complaint is not erased while it is triaged; nothing else is worth another try.
                raw = self.deployment.complaints.get(complaint_id, attributes=("triage_state",)) or {}
                waiting = self.passed and raw.get("triage_state") != ALLOCATED
                if not waiting or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_SECONDS)

    def _check_erasure(self, complaint_id: str) -> None:
        if self.deployment.complaints.get(complaint_id, attributes=("complaint_id",)) is not None:
            raise StepFailedError(f"{complaint_id} is still in raw_complaints: read the logs of erase")
        with suppress(NotFoundError):
            if find_records(self.deployment, complaint_id).records().explanations:
                raise StepFailedError(f"an explanation of {complaint_id} is left: read the logs of erase")
            # A chain that did not verify before would only be waited for once more.
            if self.passed:
                self._verified(complaint_id)

    def _until(self, done: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        deadline = time.monotonic() + self.seconds
        while not done():
            if time.monotonic() > deadline:
                raise StepFailedError(otherwise())
            time.sleep(POLL_SECONDS)


def announced_event(states: "SFNClient", execution: str) -> str | None:
    """Return the id of the event that EventBridge took of an execution; None if the execution put none."""
    for page in states.get_paginator("get_execution_history").paginate(executionArn=execution):
        for event in page["events"]:
            output = json.loads(event.get("taskSucceededEventDetails", {}).get("output") or "null")
            # No other task of the state machine answers with this count.
            if isinstance(output, dict) and output.get("FailedEntryCount") == 0:
                return str(output["Entries"][0]["EventId"])
    return None


@contextmanager
def _problem_of(complaint_id: str) -> Iterator[Sequence[str]]:
    """Give a list that holds the error of the block, if it has one."""
    problems: list[str] = []
    try:
        yield problems
    except (CommandError, TriageError, BotoCoreError, ClientError, ValueError) as error:
        problems.append(str(error) if complaint_id in str(error) else f"{complaint_id}: {error}")
