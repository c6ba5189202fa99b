"""An engine for any text-classification model that transformers loads from safetensors without remote code."""

import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from triage.bundle import Manifest
from triage.errors import BundleUnfitError
from triage.inference.engine import Scores


class TransformersEngine:
    def __init__(self, model: Any, tokenizer: Any, max_length: int) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._max_length = max_length
        unknown = tokenizer.unk_token_id
        # GPT-2's tokenizers reuse the end of a text as this token.
        self._unknown = -1 if unknown is None or unknown == tokenizer.eos_token_id else unknown
        # A fast tokenizer fails if two threads change its truncation at the same time.
        self._lock = threading.Lock()

    def score(self, text: str) -> Scores:
        with self._lock:
            total = len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"])
            encoded = self._tokenizer(text, truncation=True, max_length=self._max_length, return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**encoded).logits[0]
        return Scores(
            logits=tuple(float(value) for value in logits.tolist()),
            tokens_seen=int(encoded["input_ids"].shape[1]),
            tokens_total=total,
            tokens_unknown=int((encoded["input_ids"] == self._unknown).sum()),
        )

    def read(self, text: str) -> "TransformersReading":
        """Tokenize. Raises: ValueError without a mask token; NotImplementedError if tokens state no places."""
        mask = self._tokenizer.mask_token or self._tokenizer.unk_token
        if mask is None:
            raise ValueError("the tokenizer has no token that could hide another")
        with self._lock:
            encoded = self._tokenizer(
                text, truncation=True, max_length=self._max_length, return_tensors="pt", return_offsets_mapping=True
            )
        places = encoded.pop("offset_mapping")[0].tolist()
        return TransformersReading(self._model, encoded, places, mask, self._tokenizer.convert_tokens_to_ids(mask))


class TransformersReading:
    def __init__(self, model: Any, encoded: Any, places: list[list[int]], mask: str, mask_id: int) -> None:
        self._model = model
        self._encoded = encoded
        self._mask_id = mask_id
        self.mask = mask
        self.tokens = tuple((start, end) for start, end in places)

    def score_without(self, hidden: Collection[int]) -> tuple[float, ...]:
        ids = self._encoded["input_ids"].clone()
        ids[0, sorted(hidden)] = self._mask_id
        with torch.inference_mode():
            logits = self._model(**{**self._encoded, "input_ids": ids}).logits[0]
        return tuple(float(value) for value in logits.tolist())


def load(folder: Path, manifest: Manifest) -> TransformersEngine:
    """Raises: BundleUnfitError where the weights lack a part, which transformers would fill with random numbers."""
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model, loaded = AutoModelForSequenceClassification.from_pretrained(
        str(folder), use_safetensors=True, output_loading_info=True, **options
    )
    if missing := sorted(loaded["missing_keys"]):
        raise BundleUnfitError(
            f"the weights lack {len(missing)} parts of the model, such as {missing[0]}; train its head"
        )
    model.eval()
    return TransformersEngine(model, AutoTokenizer.from_pretrained(str(folder), **options), manifest.max_length)
