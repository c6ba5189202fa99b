"""Recipes: all settings of a training run. A recipe is a file in `configs/`; a bundle names it with its hash."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from triage.contracts import Contract, TaskName
from triage.validation import Matching, problems

CONFIGS = Path(__file__).parent / "configs"

Encoder = Annotated[
    str,
    Matching(
        r"^([\w.\-]+==[\w.]+|[\w.\-]+/[\w.\-]+@[0-9a-f]{40})$",
        "a pinned encoder: package==version, or organisation/name@sha with the 40-digit sha of a commit on the Hub",
    ),
]
RecipeName = Annotated[
    str,
    Matching(
        r"^[a-z][a-z0-9-]{0,47}$",
        "at most 48 lower-case letters, digits and hyphens, beginning with a letter (it is the name of the file)",
    ),
]

Share = Annotated[float, Field(gt=0, lt=1)]

ValidateOn = Literal["random", "latest"]
"""random: whole near-duplicate groups drawn at random. latest: the groups whose first complaint came last."""


class TaskRecipe(Contract):
    """The settings of one task; all tasks share the encoder.

    balance: an example weighs `frequency ** -balance` of its label. At 0 all examples weigh the same, at 1 all labels.
    target_accuracy: the accuracy that predictions without review by a person must reach.
    positive_label, target_recall: the label that the task looks for, if any, and the share of it that must be found.
    wide_units: units in the hidden layer of the wide part; 0 makes it a logistic regression.
    wide_decay: the penalty on large weights of the wide part, the inverse of a regression's C.
    """

    balance: float = Field(ge=0, le=1)
    target_accuracy: Share
    positive_label: str | None = None
    target_recall: Share | None = None
    wide_units: int = Field(default=0, ge=0, le=1024)
    wide_decay: float = Field(default=0.3, gt=0)

    @model_validator(mode="after")
    def _looks_for_a_label_with_a_recall(self) -> Self:
        if (self.positive_label is None) != (self.target_recall is None):
            raise ValueError("positive_label and target_recall must be given together or not at all")
        return self


class WideRecipe(Contract):
    """The wide part of each model: a small network on TF-IDF of single tokens and pairs of tokens.

    length: tokens that it reads of a text; the encoder reads fewer, because it costs a thousand times as much.
    features: how many tokens and pairs are kept, the most frequent first.
    """

    length: int = Field(ge=8, le=8192)
    features: int = Field(ge=100, le=200_000)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class Recipe(Contract):
    """One training run: an encoder that all tasks share, and a model for each task.

    examples: how many complaints are generated for training and validation together, if no data are given.
    validation: the share of the data that chooses the checkpoint, the calibration and the thresholds.
    validate_on: how that share is chosen; generated complaints have no dates and allow only `random`.
    frozen_layers: encoder layers, counted from the embeddings, that keep their weights.
    max_length: tokens that the encoder reads; of a longer text, the first two thirds and the last third of that number.
    learning_rate, head_learning_rate: for the encoder's upper layers, and for pooler and classifiers.
    auxiliary: further labels that improve what the encoder learns; no model is made for them.
    mean: whether the heads also read the mean of all tokens; that head is saved with the wide part.
    label_smoothing: share of the probability that is spread over all labels, since some labels in the data are wrong.
    patience: epochs without a better validation loss after which training stops.
    """

    name: RecipeName
    encoder: Encoder
    seed: int = Field(ge=0, lt=2**32)
    examples: int = Field(ge=20)
    validation: Share
    validate_on: ValidateOn = "random"
    max_length: int = Field(ge=8, le=512)
    frozen_layers: int = Field(ge=0)
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    tasks: dict[TaskName, TaskRecipe] = Field(min_length=1)
    auxiliary: tuple[TaskName, ...] = ()
    mean: bool = False
    wide: WideRecipe | None = None

    @model_validator(mode="after")
    def _keeps_the_mean_with_the_wide_part(self) -> Self:
        if self.mean and self.wide is None:
            raise ValueError(
                "mean = true needs a [wide] section, because the layer that reads the mean of all tokens is stored "
                "with the wide part: add [wide], or set mean = false"
            )
        return self

    @property
    def learnt(self) -> tuple[TaskName, ...]:
        """The tasks that the encoder learns, followed by the auxiliary ones."""
        return (*self.tasks, *self.auxiliary)

    @property
    def length(self) -> int:
        """How many tokens of a text a model reads, by either of its parts."""
        return self.max_length if self.wide is None else self.wide.length

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    @property
    def reference(self) -> str:
        """How a bundle names its recipe: `name@` and the first 16 digits of the hash."""
        return f"{self.name}@{self.sha256[:16]}"


def load_recipe(path: Path) -> Recipe:
    """Read a recipe, named after its file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not TOML, or a setting is missing, unknown or out of range.
    """
    try:
        return Recipe.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))})
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}. Correct that line") from error
    except ValidationError as error:
        raise ValueError(
            f"{path} is not a valid recipe: {problems(error, path.stem)}. Correct these settings"
        ) from error
