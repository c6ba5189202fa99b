"""What the encoder reads of each example, as numbers."""

from collections.abc import Callable, Mapping, Sequence

import torch
from transformers import PreTrainedTokenizerBase

from training.data.prepare import Example
from training.model.losses import UNKNOWN

Progress = Callable[[float], None]
"""Told the share of a step that is done, 0 to 1."""


def window(tokens: Sequence[int], length: int) -> Sequence[int]:
    """What the encoder reads of a text: its first two thirds of `length`, and its end, which says what is wanted.

    >>> window([1, 2, 3, 4, 5, 6, 7, 8], 6)
    [1, 2, 3, 4, 7, 8]
    """
    head = head_of(length)
    return list(tokens) if len(tokens) <= length else [*tokens[:head], *tokens[-(length - head) :]]


def head_of(length: int) -> int:
    """Tokens of a window that are from the beginning of the text."""
    return length - length // 3


def tokenize(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], *, max_length: int
) -> list[Sequence[int]]:
    """The ids that the encoder reads of each example."""
    tokenizer.backend_tokenizer.no_truncation()
    whole = tokenizer.backend_tokenizer.encode_batch([example.text for example in examples])
    tokenizer.backend_tokenizer.enable_truncation(max_length=max_length)
    return [window(encoding.ids, max_length) for encoding in whole]


def indices(examples: Sequence[Example], labels: Mapping[str, Sequence[str]]) -> list[list[int]]:
    """Of each example, the number of its label for each task, `UNKNOWN` where it has none that the task knows."""
    numbers = {task: {label: number for number, label in enumerate(names)} for task, names in labels.items()}
    return [
        [known.get(example.labels.get(task, ""), UNKNOWN) for task, known in numbers.items()] for example in examples
    ]


def mixes_precision() -> bool:
    """Whether bfloat16 is faster than float32 here: on GPUs that have it and with AMX it is, with AVX alone it is
    several times slower."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
