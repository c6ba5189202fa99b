"""The tasks whose answers an allocation is made of. Each is declared once, here.

Models may be registered for any further task: their predictions are recorded and change nothing until it is listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from triage.contracts import TaskName

Asks = Literal["triage", "team", "specialist"]
"""triage: somebody of triage looks at the allocation before it goes out (route `review`). team: the complaint goes out,
and the product's team answers. specialist: the journey of vulnerable customers.
"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One question about a complaint, and what follows from its answer.

    asks: whom every reason of this task asks, be it a doubt, a failed model, or the positive label.
    positive, negative: the two labels of a task that looks for one thing; None where there are many labels.
    confident: whether a confidence below the model's threshold `auto` is a reason. It is not for `vulnerable`, whose
    model gives its label from the lower threshold `flag` on.
    required: whether it is a reason that no model of the task is registered.
    """

    name: TaskName
    asks: Asks
    positive: str | None = None
    negative: str | None = None
    confident: bool = True
    required: bool = False

    def label(self, found: bool | None) -> str | None:
        """Return the positive label for True, the negative one for False, and None for None."""
        return None if found is None else self.positive if found else self.negative

    def found(self, label: str) -> bool | None:
        """Return True for the positive label, False for the negative one, and None for any other."""
        return {self.positive: True, self.negative: False}.get(label)


PRODUCT: Final = Task(name="product", asks="triage", required=True)
ISSUE: Final = Task(name="issue", asks="team", required=True)
VULNERABLE: Final = Task(
    name="vulnerable",
    asks="specialist",
    positive="vulnerable",
    negative="not vulnerable",
    confident=False,
    required=True,
)

TASKS: Final[Mapping[TaskName, Task]] = {task.name: task for task in (PRODUCT, ISSUE, VULNERABLE)}
