"""ONNX Runtime and tokenizers, without torch: small enough for a zip package, and quick from cold."""

from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from triage.bundle import Manifest
from triage.inference.engine import Scores


class OnnxEngine:
    """Safe to share between threads: neither session nor tokenizer changes after loading."""

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {node.name for node in session.get_inputs()}

    def score(self, text: str) -> Scores:
        encoding = self._tokenizer.encode(text)
        columns = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {name: np.array([values], dtype=np.int64) for name, values in columns.items() if name in self._inputs}
        (logits, *_) = self._session.run(None, feed)
        seen = len(encoding.ids)
        cut = sum(rest.special_tokens_mask.count(0) for rest in encoding.overflowing)
        return Scores(logits=tuple(float(value) for value in logits[0]), tokens_seen=seen, tokens_total=seen + cut)


def load(folder: Path, manifest: Manifest) -> OnnxEngine:
    options = onnxruntime.SessionOptions()
    # One thread a call: a function's concurrency comes from Lambda, and int8 is fastest at batch 1.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / manifest.weights), sess_options=options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(manifest.max_length)
    return OnnxEngine(session, tokenizer)
