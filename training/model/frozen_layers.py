"""The frozen lower layers of an encoder: they are run once, and their stored output replaces them in training."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

BATCH = 32

Progress = Callable[[float], None]
"""Called with the share of a step that is done, 0 to 1."""


class LowerLayers:
    """The first `frozen` layers of an encoder after its embeddings. Neither they nor the embeddings learn.

    Raises:
        ValueError: layers are to be frozen, but the list of layers of this architecture is not known.
    """

    def __init__(self, encoder: PreTrainedModel, frozen: int) -> None:
        self._encoder, self._layers = encoder, _freeze(encoder, frozen)
        self._other_outputs: tuple[None, ...] | None = None

    @torch.no_grad()
    def run_once(self, tokens: Sequence[Sequence[int]], *, padding: int, progress: Progress) -> list[Tensor | None]:
        """Return the output of the uppermost frozen layer for each text, of shape (tokens, size); None without layers.

        padding: the id of the padding token.
        """
        found: list[Tensor | None] = [None] * len(tokens)
        if not self._layers:
            return found
        self._encoder.train(False).to("cuda" if torch.cuda.is_available() else "cpu")
        order = np.argsort([-len(ids) for ids in tokens], kind="stable")
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            hidden = self._run(padded([tokens[index] for index in batch], padding=padding))
            for row, index in enumerate(batch):
                found[index] = _compact(hidden[row, : len(tokens[index])])
            progress(min(1.0, (start + BATCH) / len(order)))
        return found

    @contextmanager
    def replaced_by(self, hidden: Tensor | None) -> Iterator[None]:
        """Make the layers return `hidden`, of shape (n, tokens, size), without computing; None changes nothing."""
        if hidden is None:
            yield
            return
        answer = hidden if self._other_outputs is None else (hidden, *self._other_outputs)
        for layer in self._layers:
            layer.forward = lambda *_inputs, **_options: answer
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward

    def _run(self, inputs: dict[str, Tensor]) -> Tensor:
        device = self._encoder.device
        hook = self._layers[-1].register_forward_hook(_stop)
        try:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixes_precision()):
                self._encoder(**{name: values.to(device) for name, values in inputs.items()})
        except _StopError as stopped:
            output = stopped.output
        finally:
            hook.remove()
        if isinstance(output, Tensor):
            return output
        # Some architectures return a tuple, whose other elements are attentions that were not asked for.
        self._other_outputs = (None,) * (len(output) - 1)
        hidden: Tensor = output[0]
        return hidden


class _StopError(Exception):
    """Ends a forward pass after the frozen layers: the layers above need not run."""

    def __init__(self, output: Any) -> None:
        self.output = output


def _stop(_layer: nn.Module, _inputs: Any, output: Any) -> None:
    raise _StopError(output)


def _compact(hidden: Tensor) -> Tensor:
    """Return the values in half precision, which halves the memory, unless one of them is too large for it."""
    half = hidden.half()
    return (half if bool(half.isfinite().all()) else hidden.float()).cpu()


def _freeze(encoder: PreTrainedModel, frozen: int) -> list[nn.Module]:
    """Freeze all parameters below the first layer that learns, and return the frozen layers."""
    lists = (module for module in encoder.modules() if isinstance(module, nn.ModuleList))
    layers = next((found for found in lists if len(found) == encoder.config.num_hidden_layers), None)
    if layers is None:
        if frozen:
            kind = encoder.config.model_type
            raise ValueError(
                f"the layers of a {kind} encoder are not known, so none can be frozen: set frozen_layers = 0"
            )
        return []
    # Parameters come in order: embeddings before the layers, pooler and final norm after them.
    parameters = list(encoder.parameters())
    places = {id(parameter): place for place, parameter in enumerate(parameters)}
    if frozen < len(layers):
        first_to_learn = places[id(next(layers[frozen].parameters()))]
    else:
        first_to_learn = 1 + max(places[id(parameter)] for parameter in layers[-1].parameters())
    for parameter in parameters[:first_to_learn]:
        parameter.requires_grad_(False)
    return list(layers[:frozen])


def padded(texts: Sequence[Sequence[int]], *, padding: int) -> dict[str, Tensor]:
    """Return ids and attention mask of shape (n, tokens), padded with the token `padding` to the longest text."""
    ids = [torch.tensor(text) for text in texts]
    return {
        "input_ids": pad_sequence(ids, batch_first=True, padding_value=padding),
        "attention_mask": pad_sequence([torch.ones_like(each) for each in ids], batch_first=True),
    }


def mixes_precision() -> bool:
    """Return whether bfloat16 is faster than float32 on this machine.

    It is on GPUs that support it and on processors with AMX; on processors with AVX alone it is several times slower.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
