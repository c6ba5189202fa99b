"""The encoder's lower layers, whose weights stay: they are run once, and what they gave is what the upper ones read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.model.encoding import Progress, mixes_precision

BATCH = 32

CollateIds = Callable[[Sequence[Sequence[int]]], dict[str, Tensor]]


class LowerLayers:
    """The `frozen` layers of an encoder that are next to its embeddings; they and all below do not learn.

    Raises:
        ValueError: layers are to be frozen, and the architecture does not show them.
    """

    def __init__(self, encoder: PreTrainedModel, frozen: int) -> None:
        self._encoder, self._layers = encoder, _freeze(encoder, frozen)
        self._companions: tuple[None, ...] | None = None

    @torch.no_grad()
    def run_once(
        self, tokens: Sequence[Sequence[int]], collate_ids: CollateIds, progress: Progress
    ) -> list[Tensor | None]:
        """What the uppermost of them gives for each text, of shape (tokens, size); None where there are no layers."""
        found: list[Tensor | None] = [None] * len(tokens)
        if not self._layers:
            return found
        self._encoder.train(False).to("cuda" if torch.cuda.is_available() else "cpu")
        order = np.argsort([-len(ids) for ids in tokens], kind="stable")
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            hidden = self._run(collate_ids([tokens[index] for index in batch]))
            for row, index in enumerate(batch):
                found[index] = _compact(hidden[row, : len(tokens[index])])
            progress(min(1.0, (start + BATCH) / len(order)))
        return found

    @contextmanager
    def giving(self, hidden: Tensor | None) -> Iterator[None]:
        """Within it the layers compute nothing and give `hidden`, of shape (n, tokens, size)."""
        if hidden is None:
            yield
            return
        answer = hidden if self._companions is None else (hidden, *self._companions)
        for layer in self._layers:
            layer.forward = lambda *_inputs, **_options: answer
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward

    def _run(self, inputs: dict[str, Tensor]) -> Tensor:
        device = self._encoder.device
        hook = self._layers[-1].register_forward_hook(_reach)
        try:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixes_precision()):
                self._encoder(**{name: values.to(device) for name, values in inputs.items()})
        except _ReachedError as reached:
            output = reached.output
        finally:
            hook.remove()
        if isinstance(output, Tensor):
            return output
        # Some give a tuple, whose other elements are attentions that nobody asked for.
        self._companions = (None,) * (len(output) - 1)
        hidden: Tensor = output[0]
        return hidden


class _ReachedError(Exception):
    """Not an error: what lies above need not be run."""

    def __init__(self, output: Any) -> None:
        self.output = output


def _reach(_layer: nn.Module, _inputs: Any, output: Any) -> None:
    raise _ReachedError(output)


def _compact(hidden: Tensor) -> Tensor:
    """In half precision, for half the memory; architectures that do not norm their layers' output may exceed it."""
    half = hidden.half()
    return (half if bool(half.isfinite().all()) else hidden.float()).cpu()


def _freeze(encoder: PreTrainedModel, frozen: int) -> list[nn.Module]:
    """Freeze the embeddings and the lowest `frozen` layers, and return those layers.

    Parameters of an encoder are ordered: embeddings, layers, then what some have behind the layers, such as a pooler.
    """
    layers = _layers(encoder)
    if layers is None:
        if frozen:
            raise ValueError(f"the layers of a {encoder.config.model_type} are not known: only 0 can be frozen")
        return []
    parameters = list(encoder.parameters())
    places = {id(parameter): place for place, parameter in enumerate(parameters)}
    if frozen < len(layers):
        first_to_learn = places[id(next(layers[frozen].parameters()))]
    else:
        first_to_learn = 1 + max(places[id(parameter)] for parameter in layers[-1].parameters())
    for parameter in parameters[:first_to_learn]:
        parameter.requires_grad_(False)
    return list(layers[:frozen])


def _layers(encoder: PreTrainedModel) -> nn.ModuleList | None:
    lists = (module for module in encoder.modules() if isinstance(module, nn.ModuleList))
    return next((found for found in lists if len(found) == encoder.config.num_hidden_layers), None)
