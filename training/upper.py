"""The part of the encoder that learns, and the heads of all tasks on it."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertLayer, BertPooler

UNKNOWN = -100
"""The label of an example for a task that says nothing of it; cross entropy leaves it out."""


class UpperPart(nn.Module):
    """The layers that learn and a head for each task, over the parameters of `shared`.

    Without `means` the heads read the first token alone, so the last layer computes no other: a sixth of its work, the
    same logits.
    """

    def __init__(
        self,
        shared: BertForSequenceClassification,
        heads: Mapping[str, nn.Linear],
        frozen: int,
        *,
        means: Mapping[str, nn.Linear] | None = None,
        class_weights: Mapping[str, Tensor],
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        *layers, last = shared.bert.encoder.layer[frozen:]
        self.layers, self.last = nn.ModuleList(layers), cast(BertLayer, last)
        self.pooler, self.dropout = cast(BertPooler, shared.bert.pooler), shared.dropout
        self.heads, self.means = nn.ModuleDict(heads), nn.ModuleDict(means or {})
        self.label_smoothing = label_smoothing
        for task, weights in class_weights.items():
            self.register_buffer(f"weights_of_{task}", weights, persistent=False)

    def forward(self, hidden: Tensor, mask: Tensor, labels: Tensor) -> dict[str, Tensor | tuple[Tensor, ...]]:
        """hidden: (n, tokens, size) from the lower part; mask: (n, tokens), whether it is a token; labels: (n, tasks).

        The loss is the sum over the tasks of the mean over the examples whose label is known.
        """
        attended = mask[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, attended)
        logits = self._logits(hidden, mask, attended)
        losses = [
            self._loss(task, scores, labels[:, column])
            for column, (task, scores) in enumerate(zip(self.heads, logits, strict=True))
        ]
        return {"loss": torch.stack(losses).sum(), "logits": logits}

    def _logits(self, hidden: Tensor, mask: Tensor, attended: Tensor) -> tuple[Tensor, ...]:
        if not self.means:
            pooled = self.dropout(self.pooler(self._first_token(hidden, attended)))
            return tuple(head(pooled) for head in self.heads.values())
        hidden = self.last(hidden, attended)
        pooled, mean = self.dropout(self.pooler(hidden)), self.dropout(mean_of(hidden, mask))
        return tuple(head(pooled) + self.means[task](mean) for task, head in self.heads.items())

    def _loss(self, task: str, logits: Tensor, labels: Tensor) -> Tensor:
        if bool((labels == UNKNOWN).all()):
            return logits.sum() * 0.0
        weights = cast(Tensor, getattr(self, f"weights_of_{task}"))
        return nn.functional.cross_entropy(
            logits, labels, weight=weights, ignore_index=UNKNOWN, label_smoothing=self.label_smoothing
        )

    def _first_token(self, hidden: Tensor, attended: Tensor) -> Tensor:
        attention, first = self.last.attention.self, hidden[:, :1]
        queries, keys, values = (
            states.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)
            for states in (attention.query(first), attention.key(hidden), attention.value(hidden))
        )
        context = nn.functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=attended, dropout_p=attention.dropout.p if self.training else 0.0
        )
        first = self.last.attention.output(context.transpose(1, 2).flatten(2), first)
        result: Tensor = self.last.output(self.last.intermediate(first), first)
        return result


def mean_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """Over the tokens: (n, tokens, size) and (n, tokens) become (n, size)."""
    counted = mask[..., None].to(hidden.dtype)
    return (hidden * counted).sum(dim=1) / counted.sum(dim=1)


def class_weights(labels: Sequence[int], *, count: int, balance: float) -> Tensor:
    """`frequency ** -balance`, scaled so that the mean over the examples is 1. Shape (count,)."""
    known = torch.tensor([label for label in labels if label != UNKNOWN])
    frequency = torch.bincount(known, minlength=count).clamp(min=1).float()
    weights = frequency**-balance
    return weights * frequency.sum() / (weights * frequency).sum()
