"""Whoever may write the tables forges decisions, and people hold, erase, read and explain at the same moment."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from botocore.exceptions import ClientError

from cli.aws.functions import invoke
from cli.errors import CommandError
from runtime import read_narrative
from tests.attack.attacks import Attack, Outcome, Target, judged
from tests.system.machine import until
from triage.audit.erasure import Erased, ErasureRequest
from triage.audit.hold import Held, HoldRequest
from triage.functions import ReadNarrativeEnvironment
from triage.steps import ExplanationRequest
from triage.story import ALLOCATION, EXPLANATION, HOLD, READING, SupersededEntry

RACES = 24
READERS, READINGS, MOST_READINGS = 10, 200, 2_000
"""At once, in a round, and at most: rounds go on until two readings were of the same millisecond."""

UNDER_WAY = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0)
"""How many seconds after its beginning an explanation meets the erasure of its complaint."""

NOBODY = {"requester": "somebody", "reason": "an attack"}


def forged_allocation(target: Target) -> Outcome:
    """Keep the true allocation as superseded and put another, which gives the chain a form that it accepts."""
    story = target.machine.deployment.story
    ids = target.allocated(target.item(), target.item())
    for complaint_id in ids:
        target.machine.triage("feedback", complaint_id, "set_vulnerable")
    if not target.verifies(*ids):
        raise RuntimeError("the complaints do not verify before anything is forged")
    forged, rolled_back = ids
    for complaint_id in ids:
        true = dict(story.get(complaint_id, ALLOCATION) or {})
        version = int(true["version"])
        story.put(
            {
                "complaint_id": complaint_id,
                "entry": SupersededEntry.key(version),
                "code_version": true["code_version"],
                "superseded_at": true["allocated_at"],
                "allocation": true,
            }
        )
        first = dict((story.get(complaint_id, SupersededEntry.key(1)) or {})["allocation"])
        changed = {**true, "vulnerable": False, "journey": "standard", "reasons": [], "version": version + 1}
        story.put(first if complaint_id == rolled_back else changed)
    found = target.findings(*ids)
    inconsistent = {one["complaint_id"] for one in found if one["problem"] == "inconsistent"}
    names = {forged: "the forged allocation", rolled_back: "the rolled-back allocation"}
    missed = [f"{name} verified" for complaint_id, name in names.items() if complaint_id not in inconsistent]
    details = {one["complaint_id"]: one["detail"] for one in found if one["problem"] == "inconsistent"}
    return judged(missed, "`triage verify` found both: " + "; ".join(details.values()))


def hold_against_erasure(target: Target) -> Outcome:
    machine = target.machine
    ids = target.allocated(*(target.item() for _ in range(RACES)))
    session = machine.deployment.acting_as("privacy-officer-role")
    hold_function, erase_function = (machine.deployment.name(f"{name}-function") for name in ("hold", "erase"))

    def hold(complaint_id: str, start: Barrier) -> bool:
        start.wait()
        request = HoldRequest(complaint_id=complaint_id, kind="place", **NOBODY)
        return went(lambda: invoke(session, hold_function, request, gives=Held))

    def erase(complaint_id: str, start: Barrier) -> bool:
        start.wait()
        request = ErasureRequest(complaint_id=complaint_id, **NOBODY)
        return went(lambda: invoke(session, erase_function, request, gives=Erased))

    both, lost, held_after, holds = list[str](), list[str](), list[str](), 0
    with ThreadPoolExecutor(2) as people:
        for complaint_id in ids:
            start = Barrier(2)
            running = [people.submit(act, complaint_id, start) for act in (hold, erase)]
            held, erased = (one.result() for one in running)
            holds += held
            text = machine.deployment.complaints.get(complaint_id) is not None
            in_force = any(entry["entry"].startswith(HOLD) for entry in machine.deployment.story.query(complaint_id))
            if held and erased:
                both.append(complaint_id)
            if in_force != text or held != in_force:
                lost.append(complaint_id)
            if not text and hold(complaint_id, Barrier(1)):
                held_after.append(complaint_id)
    succeeded = [
        f"{what}: {len(which)} of {RACES}"
        for what, which in (
            ("hold and erasure both succeeded", both),
            ("what is left is not what was answered", lost),
            ("an erased complaint was held", held_after),
        )
        if which
    ]
    counts = f"{RACES} races: the hold won {holds}, the erasure {RACES - holds}, never both"
    return judged(succeeded, f"{counts}, and no erased complaint could be held")


def went(call: Callable[[], object]) -> bool:
    try:
        call()
    except (CommandError, ClientError):
        return False
    return True


def readings(target: Target) -> Outcome:
    """Narratives are handed out in the same moment, whose records had the same key.

    The embedded AWS runs the invocations of a function one after the other, and AWS does not. So the function's code
    runs here, side by side, with the role and the environment of the deployed function, on the deployed tables.
    """
    machine = target.machine
    (complaint_id,) = target.allocated(target.item())
    client = machine.aws.client("lambda")
    deployed = client.get_function_configuration(FunctionName=machine.function("AuditReadNarrative"))
    environment = ReadNarrativeEnvironment.read(deployed["Environment"]["Variables"])
    read_narrative.logger.setLevel("ERROR")
    read = read_narrative.build(environment, machine.as_role_of("AuditReadNarrative"))
    asked = {"complaint_id": complaint_id, "requester": "somebody", "purpose": "an attack"}
    moments = list[str]()
    with ThreadPoolExecutor(READERS) as readers:
        while len(set(moments)) == len(moments) < MOST_READINGS:
            moments += [one["read_at"] for one in readers.map(lambda _: read(asked, None), range(READINGS))]
    if (same := len(moments) - len(set(moments))) == 0:
        raise RuntimeError(f"of {len(moments)} readings no two were of one millisecond")
    story = machine.deployment.story.query(complaint_id)
    records = sum(entry["entry"].startswith(READING) for entry in story)
    return judged(
        [f"{len(moments) - records} of {len(moments)} readings left no record"] if records != len(moments) else [],
        f"{records} records of {len(moments)} readings, of which {same} were of the same millisecond as another",
    )


def explained_while_erased(target: Target) -> Outcome:
    deployment = target.machine.deployment
    long = "My mortgage payment was lost by the bank and nobody has answered my letters since. "
    ids = target.allocated(*(target.item(narrative=long * 6 + f"It is case {n}.") for n in range(len(UNDER_WAY))))
    officer = deployment.acting_as("privacy-officer-role")
    states = deployment.acting_as("explainer-role").client("stepfunctions")
    left, met = list[str](), 0
    for complaint_id, seconds in zip(ids, UNDER_WAY, strict=True):
        asked = ExplanationRequest(
            complaint_id=complaint_id,
            task="product",
            requester="somebody",
            purpose="an attack",
            lawful_basis="legal obligation",
        )
        execution = states.start_execution(
            stateMachineArn=deployment.name("explanation-state-machine"),
            name=asked.request_id,
            input=asked.model_dump_json(),
        )["executionArn"]
        time.sleep(seconds)
        erasure = ErasureRequest(complaint_id=complaint_id, **NOBODY)
        invoke(officer, deployment.name("erase-function"), erasure, gives=Erased)
        status = [""]

        def ended(execution: str = execution, status: list[str] = status) -> bool:
            status[0] = states.describe_execution(executionArn=execution)["status"]
            return status[0] != "RUNNING"

        if not until(ended, seconds=120):
            raise RuntimeError("the explanation did not end")
        met += status[0] != "SUCCEEDED"
        kept = [entry for entry in deployment.story.query(complaint_id) if entry["entry"].startswith(EXPLANATION)]
        if kept or deployment.complaints.get(complaint_id) is not None:
            left.append(f"{seconds:g} s")
    missed = [] if met else ["no erasure met an explanation under way"]
    succeeded = [f"an explanation of erased words is stored, erased after {', '.join(left)}"] if left else missed
    return judged(
        succeeded,
        f"{len(ids)} erasures 0 to {UNDER_WAY[-1]:g} s after explanations began, {met} of them under way: "
        "nothing of the words is left",
    )


ATTACKS = (
    Attack("an allocation is forged or rolled back", forged_allocation),
    Attack("a complaint is held and erased at once", hold_against_erasure),
    Attack("narratives are read without a record", readings),
    Attack("an explanation outlives the erasure", explained_while_erased),
)
