"""What is trained, and how: a recipe is a file in `configs/`, and travels in the artefact by name and hash."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from triage.contracts import Contract, TaskName

CONFIGS = Path(__file__).parent / "configs"

Encoder = Annotated[str, StringConstraints(pattern=r"^([\w.\-]+==[\w.]+|[\w.\-]+/[\w.\-]+@[0-9a-f]{40})$")]
"""`package==version` of a packaged encoder, or `organisation/name@revision` of the Hub, by commit sha."""

Share = Annotated[float, Field(gt=0, lt=1)]


class Recipe(Contract):
    """One training run.

    examples: complaints that are generated for training and validation together.
    validation: the share of them that chooses the checkpoint, the calibration and the thresholds.
    frozen_layers: encoder layers, from the embeddings up, that keep their weights.
    max_length: tokens, the rest of a text is not read.
    balance: classes weigh `frequency ** -balance`; at 0 by their number, at 1 all the same.
    learning_rate, head_learning_rate: of the encoder's upper layers, and of pooler and classifier.
    patience: epochs without a better validation loss after which training stops.
    target_accuracy: what the predictions that no person sees have to reach.
    positive_label, target_recall: for a task that looks for one label, and the share of it that has to be found.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,47}$")
    task: TaskName
    encoder: Encoder
    seed: int = Field(ge=0, lt=2**32)
    examples: int = Field(ge=20)
    validation: Share
    max_length: int = Field(ge=8, le=512)
    frozen_layers: int = Field(ge=0)
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    head_learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    balance: float = Field(ge=0, le=1)
    target_accuracy: Share
    positive_label: str | None = None
    target_recall: Share | None = None

    @model_validator(mode="after")
    def _looks_for_a_label_with_a_recall(self) -> Self:
        if (self.positive_label is None) != (self.target_recall is None):
            raise ValueError("positive_label and target_recall belong together")
        return self

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
