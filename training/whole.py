"""Training of encoders of any architecture: the lower layers keep their weights, but are run in every epoch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.heads import Heads
from training.losses import Learnt, Losses


class WholeModel(nn.Module):
    """An encoder with the classifiers of all tasks; `frozen` of its layers, from the embeddings up, do not learn.

    Raises:
        ValueError: layers are to be frozen, and the architecture does not show them.
    """

    def __init__(
        self,
        classifiers: Mapping[str, PreTrainedModel],
        frozen: int,
        *,
        means: Mapping[str, nn.Linear],
        losses: Losses,
    ) -> None:
        super().__init__()
        self.heads, self.losses = Heads(classifiers, means), losses
        _freeze(self.heads.encoder, frozen)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Learnt:
        """input_ids, attention_mask: (n, tokens); labels: (n, tasks)."""
        return cast(Learnt, self.losses(self.heads(input_ids, attention_mask), labels))

    def learning(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Parameters of the encoder, which knows already, and those of the heads, which start from nothing."""
        encoder = [parameter for parameter in self.heads.encoder.parameters() if parameter.requires_grad]
        return encoder, [*self.heads.heads.parameters(), *self.heads.means.parameters()]


def _freeze(encoder: PreTrainedModel, frozen: int) -> None:
    """Everything below the first layer that learns: embeddings come before layers, norms and biases of all behind."""
    layers = _layers(encoder)
    if layers is None:
        if frozen:
            raise ValueError(f"the layers of a {encoder.config.model_type} are not known: only 0 can be frozen")
        return
    first = next(layers[frozen].parameters())
    for parameter in encoder.parameters():
        if parameter is first:
            return
        parameter.requires_grad_(False)


def _layers(encoder: PreTrainedModel) -> nn.ModuleList | None:
    lists = (module for module in encoder.modules() if isinstance(module, nn.ModuleList))
    return next((found for found in lists if len(found) == encoder.config.num_hidden_layers), None)


def collate_ids(padding: int) -> Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]:
    """Makes batches, padded to their longest text; some architectures count positions by what is no padding."""

    def collate(features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        ids = [torch.tensor(feature["input_ids"]) for feature in features]
        return {
            "input_ids": nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=padding),
            "attention_mask": nn.utils.rnn.pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
            "labels": torch.tensor([feature["labels"] for feature in features]),
        }

    return collate
