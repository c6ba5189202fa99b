"""Why a person is asked, or why the journey is specialist: every reason that an allocation can have, with its meaning.

`docs/operations.md` shows `Code` and `ERRORS`, and `triage show` explains each reason of a complaint by them.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Self

from pydantic import model_serializer, model_validator

from triage.contracts import Contract, TaskName
from triage.tasks import TASKS, VULNERABLE, Asks, Task

TASK_NAME: Final = r"[a-z][a-z0-9-]{0,47}"


class Code(Enum):
    """The kind of a reason. A stored text is compared with the wordings in this order.

    wording: the reason's text, with `{task}` and `{detail}`. explanation: what happened, and what to do.
    task: the task of a wording without `{task}`. detail: what `{detail}` may be, as a regular expression.
    """

    NARRATIVE_MISSING = (
        "narrative is missing",
        "The complaint has no narrative, so no model was asked. Read it in the source system.",
    )
    NARRATIVE_NOT_TEXT = (
        "narrative is not text",
        "The narrative is no string, so no model was asked. Correct the system that writes it.",
    )
    NARRATIVE_EMPTY = ("narrative is empty", "The narrative has no characters that can be read, so no model was asked.")
    SELECTION_FAILED = (
        "selection: {detail}",
        "The models could not be chosen, so none was asked. The error is named; see the log of `select_models`.",
    )
    TAGS_NOT_TEXTS = (
        "tags are not a list of texts",
        "The tags of the form could not be read, so the customer may be vulnerable.",
        VULNERABLE.name,
    )
    TAG_UNKNOWN = (
        "tags have one that is not known",
        "A tag of the form is neither `Older American` nor `Servicemember`, so the customer may be vulnerable.",
        VULNERABLE.name,
    )
    ACCOUNT_FLAG_NOT_BOOLEAN = (
        "account_vulnerable is not a boolean",
        "The flag of the account could not be read, so the customer may be vulnerable.",
        VULNERABLE.name,
    )
    NARRATIVE_TOO_LONG = (
        "narrative is too long to be searched for vulnerability",
        "Only its first 60,000 characters were searched, so the customer may be vulnerable.",
        VULNERABLE.name,
    )
    URGENT = (
        "{task}: urgent, the customer speaks of suicide or self-harm",
        "Somebody may be in danger. Read the complaint now, before any other, and follow the procedure for self-harm.",
    )
    NOT_RECORDED = (
        "{task}: what the complaint states was not recorded",
        "Choosing the models failed before tags, flag and words of the customer were recorded.",
    )
    NOT_ASKED = (
        "{task}: not asked",
        "No model was asked, because the narrative could not be read or no model could be chosen.",
    )
    NO_MODEL = (
        "{task}: no model answered",
        "No model of the task is active and mirrored. Register one, or activate it.",
    )
    NO_THRESHOLD = (
        "{task}: the model states no threshold",
        "The model never acts alone: its bundle has no `triage.json`, or training reached no threshold.",
    )
    LOW_CONFIDENCE = ("{task}: confidence below threshold", "The model was not sure enough to act without a person.")
    UNKNOWN_PRODUCT = (
        "{task}: the label is not in the taxonomy",
        "The model knows other products than `triage/taxonomy.json`, so no team owns its answer.",
    )
    FOREIGN_ISSUE = (
        "{task}: not one of the product's issues",
        "The models of product and issue contradict each other.",
    )
    ISSUE_NOT_NAMED = (
        "{task}: not named since the re-allocation",
        "A person named another product, which does not have the issue, and no issue. Name it with `correct_issue`.",
    )
    NO_POSITIVE_LABEL = (
        "{task}: the model does not say which label is the positive one",
        "Its bundle names no positive label, and its labels are not those of `triage/tasks.py`.",
    )
    FOUND = ("{task}: model", "The model gave the label that the task looks for.")
    SET_BY_PERSON = ("{task}: set by a person", "A person said so in feedback of the kind `set_vulnerable`.")
    STATED = (
        "{task}: {detail}",
        "A source other than a model says so: `tag` of the form, flag of the `account`, or what the customer `said`.",
        None,
        r"\w+ \(.+\)",
    )
    MODEL_FAILED = (
        "{task}: {detail}",
        "The model of the task, and its stand-in if it has one, ended with the error that is named.",
        None,
        r"\w+(?:\.\w+)*",
    )
    UNKNOWN = (
        "{detail}",
        "The text is none of those that this version writes; it may be of another version.",
        None,
        ".*",
    )

    def __init__(self, wording: str, explanation: str, task: TaskName | None = None, detail: str = ".+") -> None:
        self.wording, self.explanation, self.task = wording, explanation, task
        pattern = re.escape(wording).replace(r"\{task\}", f"(?P<task>{TASK_NAME})")
        self.pattern = re.compile(pattern.replace(r"\{detail\}", f"(?:{detail})"), re.DOTALL)


ERRORS: Final[Mapping[str, str]] = {
    "ModelFailedError": "The model raised an error, or gave no probabilities over its labels.",
    "BundleCorruptError": "The mirrored files changed. See who wrote to the bucket, then register a commit anew.",
    "BundleTooLargeError": "The files do not fit into the functions that load them. Register a smaller model.",
    "BundleUnfitError": "The weights lack a part of the model. Register a commit that has it.",
    "BundleUnsafeError": "The bundle holds a file that may not be loaded. Register another commit.",
    "BundleUnavailableError": "S3 did not answer, through all retries.",
    "ComplaintMissingError": "The complaint was removed from `raw_complaints` before the model could read it.",
    "Lambda.TooManyRequestsException": "AWS refused the invocation through all retries: raise the concurrency.",
    "Lambda.Unknown": "The function was ended: its time or its memory ran out. See its log.",
    "Runtime.ExitError": "The function's process ended, most often because its memory ran out. See its log.",
    "Sandbox.Timedout": "The function reached its time limit, such as on a first call that loads a large model.",
    "States.Timeout": "The step reached its time limit.",
    "ValidationError": "A record or payload is not what its contract says; see the log of the function.",
}
"""The errors that a reason names most often. Any other is explained by the log of the function."""


class Reason(Contract):
    """One reason of an allocation.

    task: whose answer is in doubt or was found; None for the complaint as a whole. text: the reason in words.

    Only the text is stored, because product teams read it from DynamoDB. Task and code are derived from it, also in
    rows that were written before there were codes.
    """

    task: TaskName | None = None
    code: Code
    text: str

    @classmethod
    def why(cls, code: Code, task: Task | None = None, *, detail: str = "") -> Self:
        """Return the reason in the wording of its code."""
        text = code.wording.format(task=task and task.name, detail=detail)
        return cls(task=task.name if task else code.task, code=code, text=text)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a stored text. A text of no known wording is about the task that it begins with, if any."""
        code, match = next((code, match) for code in Code if (match := code.pattern.fullmatch(text)))
        task = match.groupdict().get("task", code.task)
        if code is Code.UNKNOWN:
            named = re.match(rf"(?:tags|account_vulnerable|({TASK_NAME}): )", text)
            task = named and (named[1] or VULNERABLE.name)
        return cls(task=task, code=code, text=text)

    @model_validator(mode="before")
    @classmethod
    def _from_its_text(cls, value: Any) -> Any:
        return dict(cls.read(value)) if isinstance(value, str) else value

    @model_serializer
    def __str__(self) -> str:
        return self.text

    @property
    def asks(self) -> Asks:
        """Whom the task states; `triage` for a reason without a task, or of a task that is not listed any more."""
        task = TASKS.get(self.task or "")
        return task.asks if task else "triage"

    @property
    def explanation(self) -> str:
        """What happened and what to do, followed by the meaning of the error that the reason names, if any."""
        error = self.text.rpartition(": ")[2]
        return " ".join(filter(None, (self.code.explanation, ERRORS.get(error))))
