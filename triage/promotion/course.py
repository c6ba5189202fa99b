"""What follows from a judgement: the next strategy, or nothing."""

from typing import Literal

from triage.contracts import Contract
from triage.promotion.transitions import promoted, widened, withdrawn
from triage.promotion.verdict import Judgement
from triage.strategies.strategy import BUCKETS, Strategy


class Course(Contract):
    """kind: None where everything stays as it is, for the reason given. earned: see `ModelStrategy`."""

    kind: Literal["widen", "promote", "roll_back", "stop"] | None
    reason: str
    strategy: Strategy | None = None
    earned: bool = False


def course(
    strategy: Strategy, challenger: str, judgement: Judgement, *, baked: bool, earned: bool, frozen: bool
) -> Course:
    """The step that a challenger's evidence calls for.

    baked: the present shares have been in force for long enough, and the challenger has predicted often enough.
    earned: the gates were passed in shadow. frozen, or a manual schedule: only back, since that protects.

    Out of the shadow, and to the whole traffic, only gates that were passed lead; a canary that was set up by hand may
    be widened in between on guardrails alone, since that is how it comes by labels. An ab test ends by its date.
    """
    mode = strategy.schedule.mode
    shadow = challenger in {arm.name for arm in strategy.shadows}
    if mode == "observe_only":
        return _stay("observe only")
    if judgement.verdict == "roll_back":
        back = withdrawn(strategy, challenger)
        return Course(kind="stop" if shadow else "roll_back", reason=_because(judgement), strategy=back)
    if mode == "manual" or frozen:
        return _stay("frozen" if frozen else "the schedule is manual")
    if judgement.verdict == "hold":
        return _stay(_because(judgement))
    passed = judgement.verdict == "promote"
    if shadow:
        return _leave_the_shadow(strategy, challenger, judgement) if passed else _stay(_because(judgement))
    if strategy.kind == "ab":
        return _stay("an ab test runs until it ends")
    return _widen(strategy, challenger, judgement, baked=baked, earned=earned or passed)


def _leave_the_shadow(strategy: Strategy, challenger: str, judgement: Judgement) -> Course:
    if strategy.challengers:
        return _stay("another challenger answers already")
    steps = (*strategy.schedule.steps, BUCKETS)
    return _to(strategy, challenger, steps[0], _because(judgement), earned=True)


def _widen(strategy: Strategy, challenger: str, judgement: Judgement, *, baked: bool, earned: bool) -> Course:
    if not baked:
        return _stay("the present share has not been in force for long enough")
    present = next(arm.share for arm in strategy.challengers if arm.name == challenger)
    step = next((step for step in strategy.schedule.steps if step > present), BUCKETS)
    if step == BUCKETS and not earned:
        return _stay(_because(judgement))
    reason = f"{present / 100:g} % went well: {_because(judgement)}"
    return _to(strategy, challenger, step, reason, earned=earned)


def _to(strategy: Strategy, challenger: str, share: int, reason: str, *, earned: bool) -> Course:
    if share == BUCKETS:
        return Course(kind="promote", reason=reason, strategy=promoted(strategy, challenger), earned=earned)
    return Course(kind="widen", reason=reason, strategy=widened(strategy, challenger, share), earned=earned)


def _stay(reason: str) -> Course:
    return Course(kind=None, reason=reason)


def _because(judgement: Judgement) -> str:
    return "; ".join(judgement.reasons) or judgement.verdict
