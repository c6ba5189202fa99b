"""People who give feedback claim weights for their labels, and hand in other words under an id that was applied."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from cli.aws.feedback_inbox import key_of, wait
from tests.attack.attacks import Attack, Outcome, Target, judged
from tests.factories import any_feedback, put_in_force
from tests.system.bundles import constant_model
from tests.system.machine import until
from triage.feedback import INBOX, Feedback, FeedbackRow
from triage.promotion.gates import Gates, Guardrails
from triage.story import ALLOCATION, AllocationEntry
from triage.strategies.strategy import BUCKETS, Arm, Strategy
from triage.taxonomy import load_taxonomy

TASK = "product"
PRODUCTS = [product.name for product in load_taxonomy().products]
HONEST, FORGED = 24, 6
GATES = Gates(margin=0.1, min_labels=10, min_hours=0, min_group=1_000, min_inclusion=0.02, max_reviewer_share=1.0)
OUTCOME_SECONDS = 120.0


def current(target: Target, complaint_id: str) -> AllocationEntry:
    return AllocationEntry.model_validate(target.machine.deployment.story.get(complaint_id, ALLOCATION))


def said(complaint_id: str, **values: Any) -> Feedback:
    return any_feedback(complaint_id=complaint_id, at=datetime.now(UTC), **values)


def hand_in(target: Target, statements: list[Feedback]) -> list[dict[str, Any]]:
    """Put rows as product teams do, and return them with their outcomes."""
    deployment = target.machine.deployment
    for statement in statements:
        deployment.story.put(FeedbackRow.of(statement))
    found = wait(deployment, statements, timeout_seconds=OUTCOME_SECONDS)
    return [found[key_of(statement)] for statement in statements]


@contextmanager
def shadowed(target: Target, label: str) -> Iterator[str]:
    """Let a model that always answers `label` shadow the champion; yield its version. The strategy is frozen."""
    machine, registry = target.machine, target.machine.deployment.registry
    (champion,) = (one for one in registry.models() if one.task == TASK and one.state == "champion")
    labels = [label, *(product for product in PRODUCTS if product != label)]
    dull = machine.register_untried(constant_model(target.place(), labels), "attacker/dull", TASK)
    first, second = (
        Arm(name=name, model_id=model.model_id, revision=model.revision, share=BUCKETS)
        for name, model in (("champion", champion), ("challenger", dull))
    )
    strategy = Strategy(
        task=TASK,
        kind="shadow",
        experiment="attack",
        champion="champion",
        arms=(first,),
        shadows=(second,),
        gates=GATES,
        guardrails=Guardrails(max_p95_increase_ms=60_000),
    )
    put_in_force(registry, strategy, by="test", replaces=0)
    try:
        machine.triage("strategy", "freeze", TASK, "--reason", "an attack")
        yield dull.version
    finally:
        machine.withdraw_strategy(TASK)
        machine.retire(dull)


def poisoned_labels(target: Target) -> Outcome:
    """Claim, beside honest labels, that a few others stand for fifty complaints each, or were drawn as vulnerable."""
    machine, label = target.machine, PRODUCTS[-1]
    with shadowed(target, label) as version:
        ids = target.allocated(*(target.item() for _ in range(HONEST + FORGED)))
        keys = [(one, f"PREDICTION#SHADOW#{TASK}#{version}") for one in ids]
        if not until(lambda: len(list(machine.deployment.story.get_many(keys))) == len(keys), seconds=300):
            raise RuntimeError("the shadow did not predict every complaint")
        answers = {one: current(target, one).product for one in ids}
        apart = [one for one in ids if answers[one] not in (None, label)]
        honest, forged = apart[:-FORGED], apart[-FORGED:]
        blind = {"kind": "reallocate", "mode": "blind"}
        # The champion is right on every honest label, and the challenger on every forged one.
        true = [
            said(one, **blind, product=answers[one], stratum="random", inclusion=1.0, by=f"reviewer {number % 4}")
            for number, one in enumerate(honest)
        ]
        lies = [
            said(one, **blind, product=label, stratum="vulnerable", inclusion=0.02, by="somebody") for one in forged
        ]
        before = weighed(target, hand_in(target, true))
        after = weighed(target, hand_in(target, lies))
    counts = f"{len(true)} honest labels gave the verdict {before}"
    if before != "roll_back":
        raise RuntimeError(f"{counts}, so nothing could be changed")
    claims = f"{len(lies)} that claim a probability of 0.02"
    return judged(
        [f"{counts}, and with {claims} it became {after}"] if after != before else [],
        f"{counts}, and {claims} did not change it",
    )


def weighed(target: Target, rows: list[dict[str, Any]]) -> str:
    """Return the verdict of the deployed function once these rows are applied."""
    if wrong := [row for row in rows if row["outcome"] != "applied"]:
        raise RuntimeError(f"{len(wrong)} labels were not applied: {wrong[0]['reason']}")
    return str(target.machine.invoke("PromotionWeighEvidence", {"task": TASK})["verdict"])


def abused_inbox(target: Target) -> Outcome:
    (complaint_id,) = target.allocated(target.item())
    story = target.machine.deployment.story
    first, second, third = [name for name in PRODUCTS if name != current(target, complaint_id).product][:3]
    words = {"kind": "reallocate", "mode": "assisted", "feedback_id": "used"}
    succeeded = []

    def answered(what: str, expected: str, row: dict[str, Any], product: str) -> None:
        if row["outcome"] != expected:
            succeeded.append(f"{what} was {row['outcome']}")
        if (stands := current(target, complaint_id).product) != product:
            succeeded.append(f"after {what} the product is {stands}")
        if not target.verifies(complaint_id):
            problems = {one["problem"] for one in target.findings(complaint_id)}
            succeeded.append(f"after {what} the records are {' and '.join(sorted(problems))}")

    (row,) = hand_in(target, [said(complaint_id, **words, product=first)])
    answered("an honest row", "applied", row, first)
    made = row.get("made_version")
    (row,) = hand_in(target, [said(complaint_id, **words, product=second, version=2)])
    answered("an applied id with other words", "refused", row, first)
    same = said(complaint_id, **{**words, "feedback_id": "same"}, product=third, version=2)
    (row,) = hand_in(target, [same])
    answered("another honest row", "applied", row, third)
    version = row.get("made_version")
    (row,) = hand_in(target, [same])
    answered("the same row again", "applied", row, third)
    if (made, version, row.get("made_version")) != (2, 3, 3):
        succeeded.append(f"the versions made are {made}, {version} and {row.get('made_version')}, not 2, 3 and 3")
    large = said(complaint_id, kind="set_vulnerable", feedback_id="large", version=3)
    story.put({**FeedbackRow.of(large).model_dump(mode="json"), "role": "x" * 390_000})
    found = wait(target.machine.deployment, [large], timeout_seconds=OUTCOME_SECONDS)
    row = found.get(key_of(large), {"outcome": "left without an outcome"})
    answered("a row of 390 KB", "refused", row, third)
    receipts = sum(entry["entry"].startswith("RECEIPT#") for entry in story.query(complaint_id))
    inbox = sum(1 for _ in story.query(INBOX + complaint_id))
    return judged(
        succeeded,
        f"5 rows under {inbox} ids got their true outcomes ({receipts} receipts), and the records verify after each",
    )


ATTACKS = (
    Attack("forged labels outweigh honest ones", poisoned_labels),
    Attack("the inbox of feedback is abused", abused_inbox),
)
