"""What is trained, and how: a recipe is a file in `configs/`, and travels in the artefact by name and hash."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from triage.contracts import Contract, TaskName

CONFIGS = Path(__file__).parent / "configs"

Encoder = Annotated[str, StringConstraints(pattern=r"^([\w.\-]+==[\w.]+|[\w.\-]+/[\w.\-]+@[0-9a-f]{40})$")]
"""`package==version` of a packaged encoder, or `organisation/name@revision` of the Hub, by commit sha."""

Share = Annotated[float, Field(gt=0, lt=1)]

ValidateOn = Literal["random", "latest"]
"""random: whole near-duplicate groups by chance. latest: the groups that began last, as the future will."""


class TaskRecipe(Contract):
    """What one task asks of the training run that it shares.

    balance: classes weigh `frequency ** -balance`; at 0 by their number, at 1 all the same.
    target_accuracy: what the predictions that no person sees have to reach.
    positive_label, target_recall: for a task that looks for one label, and the share of it that has to be found.
    wide_units: of the hidden layer of the wide part; with 0 it is a logistic regression.
    wide_decay: strength of its penalty on large weights, the inverse of a regression's C.
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
            raise ValueError("positive_label and target_recall belong together")
        return self


class WideRecipe(Contract):
    """The part beside the encoder: tokens and pairs of tokens, weighed by TF-IDF, in a small network for each task.

    length: tokens that it reads of a text; the encoder reads fewer, since it costs a thousand times as much.
    features: the most frequent tokens and pairs that are kept.
    """

    length: int = Field(ge=8, le=8192)
    features: int = Field(ge=100, le=200_000)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class Recipe(Contract):
    """One training run: an encoder that its tasks share, and a model for each of them.

    examples: complaints that are generated where no data are given, for training and validation together.
    validation: the share of the data that chooses the checkpoint, the calibration and the thresholds.
    validate_on: which of the data they are; generated ones have no dates, so only `random` can be.
    frozen_layers: encoder layers, from the embeddings up, that keep their weights.
    max_length: tokens that the encoder reads, the first two thirds and the last third of a longer text.
    learning_rate, head_learning_rate: of the encoder's upper layers, and of pooler and classifiers.
    auxiliary: labels that the encoder learns besides, for what they teach it; no model is made of them.
    mean: whether the heads read the mean of all tokens besides the first one; it is kept with the wide part.
    label_smoothing: share of the truth that is spread over all labels, since some of the labels are wrong.
    patience: epochs without a better validation loss after which training stops.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")
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
            raise ValueError("mean asks for a wide part, without which the safetensors are the whole model")
        return self

    @property
    def learnt(self) -> tuple[TaskName, ...]:
        """What the encoder learns: the tasks, then what is auxiliary."""
        return (*self.tasks, *self.auxiliary)

    @property
    def length(self) -> int:
        """Tokens that a model reads of a text, by either part."""
        return self.max_length if self.wide is None else self.wide.length

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    @property
    def reference(self) -> str:
        """How an artefact names its recipe: `name@` and the first 16 digits of the hash."""
        return f"{self.name}@{self.sha256[:16]}"


def load_recipe(path: Path) -> Recipe:
    """Read a recipe, named after its file.

    Raises:
        FileNotFoundError: there is no such file.
        tomllib.TOMLDecodeError: it is not TOML.
        pydantic.ValidationError: a setting is missing, unknown or out of range.
    """
    return Recipe.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))})
