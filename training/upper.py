"""The part of a BERT that learns, and the heads of all tasks on it."""

from collections.abc import Mapping
from typing import cast

from torch import Tensor, nn
from transformers import BertForSequenceClassification
from transformers.models.bert.modeling_bert import BertLayer, BertPooler

from training.heads import mean_of
from training.losses import Learnt, Losses


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
        losses: Losses,
    ) -> None:
        super().__init__()
        *layers, last = shared.bert.encoder.layer[frozen:]
        self.layers, self.last = nn.ModuleList(layers), cast(BertLayer, last)
        self.pooler, self.dropout = cast(BertPooler, shared.bert.pooler), shared.dropout
        self.heads, self.means = nn.ModuleDict(heads), nn.ModuleDict(means or {})
        self.losses = losses

    def forward(self, hidden: Tensor, mask: Tensor, labels: Tensor) -> Learnt:
        """hidden: (n, tokens, size) from the lower part; mask: (n, tokens), true at tokens; labels: (n, tasks)."""
        attended = mask[:, None, None, :]
        for layer in self.layers:
            hidden = layer(hidden, attended)
        return cast(Learnt, self.losses(self._logits(hidden, mask, attended), labels))

    def learning(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Parameters of the encoder's layers, which know already, and of what starts from nothing."""
        return (
            [*self.layers.parameters(), *self.last.parameters()],
            [*self.pooler.parameters(), *self.heads.parameters(), *self.means.parameters()],
        )

    def _logits(self, hidden: Tensor, mask: Tensor, attended: Tensor) -> tuple[Tensor, ...]:
        if not self.means:
            pooled = self.dropout(self.pooler(self._first_token(hidden, attended)))
            return tuple(head(pooled) for head in self.heads.values())
        hidden = self.last(hidden, attended)
        pooled, mean = self.dropout(self.pooler(hidden)), self.dropout(mean_of(hidden, mask))
        return tuple(head(pooled) + self.means[task](mean) for task, head in self.heads.items())

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
