"""What all tasks together have to learn from one batch."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

UNKNOWN = -100
"""The label of an example for a task that says nothing of it; cross entropy leaves it out."""


Learnt = dict[str, Tensor | tuple[Tensor, ...]]
"""What the Trainer reads of a model: `loss`, a scalar, and `logits`, (n, labels) of each task."""


class Losses(nn.Module):
    """class_weights: of each task, shape (labels,); their order is that of logits and labels."""

    def __init__(self, class_weights: Mapping[str, Tensor], *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.tasks, self.label_smoothing = tuple(class_weights), label_smoothing
        for task, weights in class_weights.items():
            self.register_buffer(f"weights_of_{task}", weights, persistent=False)

    def forward(self, logits: tuple[Tensor, ...], labels: Tensor) -> Learnt:
        """logits: (n, labels) of each task; labels: (n, tasks).

        The loss is the sum over the tasks of the mean over the examples whose label is known.
        """
        losses = [
            self._loss(task, scores, labels[:, column])
            for column, (task, scores) in enumerate(zip(self.tasks, logits, strict=True))
        ]
        return {"loss": torch.stack(losses).sum(), "logits": logits}

    def _loss(self, task: str, logits: Tensor, labels: Tensor) -> Tensor:
        if bool((labels == UNKNOWN).all()):
            return logits.sum() * 0.0
        weights = cast(Tensor, getattr(self, f"weights_of_{task}"))
        return nn.functional.cross_entropy(
            logits, labels, weight=weights, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing
        )


def class_weights(labels: Sequence[int], *, count: int, balance: float) -> Tensor:
    """`frequency ** -balance`, scaled so that the mean over the examples is 1. Shape (count,)."""
    known = torch.tensor([label for label in labels if label != UNKNOWN])
    frequency = torch.bincount(known, minlength=count).clamp(min=1).float()
    weights = frequency**-balance
    return weights * frequency.sum() / (weights * frequency).sum()
