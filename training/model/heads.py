"""Classifiers of any architecture over one encoder, which is run once for all of them."""

from collections.abc import Mapping
from copy import copy
from typing import Any, cast

from torch import Tensor, nn
from transformers import PreTrainedModel

MEAN_DROPOUT = 0.1
"""In training, as much as most architectures leave out of what their heads read."""


class Heads(nn.Module):
    """The shared encoder of `classifiers`, and what each of them makes of its outputs; their parameters are shared.

    means: for each classifier a head on the mean of all tokens, whose logits are added.
    """

    def __init__(self, classifiers: Mapping[str, PreTrainedModel], means: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.encoder = cast(PreTrainedModel, next(iter(classifiers.values())).base_model)
        # Without the encoder, which a checkpoint would otherwise hold once for each of them.
        self.heads = nn.ModuleDict({task: _over(_Given(None), each) for task, each in classifiers.items()})
        self.means = nn.ModuleDict(means)
        self.dropout = nn.Dropout(MEAN_DROPOUT)

    @property
    def pooler(self) -> nn.Module | None:
        """What some encoders end with, for classifiers alone: it starts from nothing as they do."""
        return cast("nn.Module | None", getattr(self.encoder, "pooler", None))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Both of shape (n, tokens); logits of each classifier, (n, labels)."""
        states = _Given(self.encoder(input_ids=input_ids, attention_mask=attention_mask))
        logits = [_over(states, head)(input_ids, attention_mask).logits for head in self.heads.values()]
        if self.means:
            mean = self.dropout(mean_of(states.outputs.last_hidden_state, attention_mask))
            logits = [scores + self.means[task](mean) for task, scores in zip(self.heads, logits, strict=True)]
        return tuple(logits)


class _Given(nn.Module):
    """Stands where a classifier has its encoder, and answers with what that encoder gave already."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *_inputs: Any, **_options: Any) -> Any:
        return self.outputs


def _over(encoder: nn.Module, classifier: Any) -> Any:
    """The classifier, with the same parameters, over another encoder."""
    other = copy(classifier)
    other._modules = {**classifier._modules, classifier.base_model_prefix: encoder}
    return other


def mean_of(hidden: Tensor, mask: Tensor) -> Tensor:
    """Over the tokens: (n, tokens, size) and (n, tokens) become (n, size)."""
    counted = mask[..., None].to(hidden.dtype)
    return (hidden * counted).sum(dim=1) / counted.sum(dim=1)
