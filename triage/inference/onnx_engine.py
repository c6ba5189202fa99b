"""An engine on ONNX Runtime and tokenizers, without torch: small enough for a zip package, and quick to start."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Encoding, Tokenizer

from triage.bundle import Manifest
from triage.inference.engine import Scores

SLOWER_THAN_ITS_PARTS = ("SkipLayerNormFusion",)
"""Disabled optimizations: on a CPU the fused kernel is slower than addition and norm (`benchmarks.inference`)."""

MASKS = ("[MASK]", "<mask>", "[UNK]", "<unk>")
"""Tokens that may hide another, the preferred first. A tokenizer's file does not state which token is the mask."""


class OnnxEngine:
    """Threads may share it, because neither session nor tokenizer changes after loading."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {node.name for node in session.get_inputs()}
        self._unknown = _unknown_token(tokenizer)

    def score(self, text: str) -> Scores:
        encoding = self._tokenizer.encode(text)
        seen = len(encoding.ids)
        cut = sum(rest.special_tokens_mask.count(0) for rest in encoding.overflowing)
        return Scores(
            logits=self.run(encoding, encoding.ids),
            tokens_seen=seen,
            tokens_total=seen + cut,
            tokens_unknown=sum(token == self._unknown for token in encoding.ids),
        )

    def read(self, text: str) -> "OnnxReading":
        for mask in MASKS:
            if (mask_id := self._tokenizer.token_to_id(mask)) is not None:
                return OnnxReading(self, self._tokenizer.encode(text), mask, mask_id)
        raise ValueError("the tokenizer has no token that could hide another")

    def run(self, encoding: Encoding, ids: Sequence[int]) -> tuple[float, ...]:
        """Return the logits of an encoding whose token ids are replaced by `ids`."""
        columns = {"input_ids": ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        feed = {name: np.array([values], dtype=np.int64) for name, values in columns.items() if name in self._inputs}
        (logits, *_) = self._session.run(None, feed)
        return tuple(float(value) for value in logits[0])


def _unknown_token(tokenizer: Tokenizer) -> int | None:
    """Return the id of the token for what the vocabulary does not have; None where every text has tokens."""
    model = json.loads(tokenizer.to_str())["model"]
    # Unigram names it by number, the others by name.
    unknown: int | None = model.get("unk_id")
    return unknown if unknown is not None else tokenizer.token_to_id(model.get("unk_token") or "")


class OnnxReading:
    def __init__(self, engine: OnnxEngine, encoding: Encoding, mask: str, mask_id: int) -> None:
        self._engine = engine
        self._encoding = encoding
        self._mask_id = mask_id
        self.mask = mask
        self.tokens = tuple((start, end) for start, end in encoding.offsets)

    def score_without(self, hidden: Collection[int]) -> tuple[float, ...]:
        concealed = frozenset(hidden)
        ids = [self._mask_id if place in concealed else token for place, token in enumerate(self._encoding.ids)]
        return self._engine.run(self._encoding, ids)


def load(folder: Path, manifest: Manifest, *, left_out: Sequence[str] = SLOWER_THAN_ITS_PARTS) -> OnnxEngine:
    options = onnxruntime.SessionOptions()
    # One thread for each call: Lambda provides concurrency, and int8 is fastest in batches of 1.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / manifest.weights),
        sess_options=options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=left_out,
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(manifest.max_length)
    return OnnxEngine(session, tokenizer)
