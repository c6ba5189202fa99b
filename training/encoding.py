"""The encoder's lower layers, which are run once: what they give is what the upper ones are trained on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertForSequenceClassification, BertModel, PreTrainedTokenizerBase

from training.losses import UNKNOWN
from training.prepare import Example

BATCH = 32

Progress = Callable[[float], None]
"""Told the share of a step that is done, 0 to 1."""


def lower_part(model: BertForSequenceClassification, frozen: int) -> BertModel:
    """Embeddings and the lowest layers, over the parameters of `model`."""
    with torch.device("meta"):
        lower = BertModel(model.config, add_pooling_layer=False)
    lower.embeddings = model.bert.embeddings
    lower.encoder.layer = model.bert.encoder.layer[:frozen]
    lower.train(False)
    return lower


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


@torch.inference_mode()
def encode(
    lower: BertModel, tokens: Sequence[Sequence[int]], labels: Sequence[Sequence[int]], progress: Progress
) -> list[dict[str, Any]]:
    """What the Trainer reads of each text: `input_ids` (tokens,), `hidden` (tokens, size), `labels` (tasks,)."""
    order = np.argsort([-len(ids) for ids in tokens], kind="stable")
    features: list[dict[str, Any]] = [{} for _ in tokens]
    device = next(lower.parameters()).device
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(tokens[index]) for index in batch], batch_first=True)
        lengths = torch.tensor([len(tokens[index]) for index in batch])
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixes_precision()):
            hidden = lower(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
        for row, index in enumerate(batch):
            features[index] = {
                "input_ids": tokens[index],
                # Half precision halves the memory; these are outputs of a layer norm, far from its limits.
                "hidden": hidden[row, : len(tokens[index])].half().cpu(),
                "labels": labels[index],
            }
        progress(min(1.0, (start + BATCH) / len(order)))
    return features


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


def collate(features: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """A batch, padded to its longest text."""
    hidden = [feature["hidden"].float() for feature in features]
    mask = [torch.ones(len(states), dtype=torch.bool) for states in hidden]
    return {
        "hidden": nn.utils.rnn.pad_sequence(hidden, batch_first=True),
        "mask": nn.utils.rnn.pad_sequence(mask, batch_first=True),
        "labels": torch.tensor([feature["labels"] for feature in features]),
    }


def mixes_precision() -> bool:
    """Whether bfloat16 is faster than float32 here: on GPUs that have it and with AMX it is, with AVX alone it is
    several times slower."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
