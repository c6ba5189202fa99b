"""Measure the memory that each engine needs for a bundle, in a process that does nothing else.

python -m benchmarks.memory

The bundles are BERT models of several sizes with random weights, as float32 and as the formats that are served besides:
int8 for ONNX, float16 for transformers. Each loads its bundle and scores 512 tokens twice.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.output import print_table
from triage.bundle import Engine, describe
from triage.inference.memory import NEEDS

SIZES = {"MiniLM": (384, 6), "BERT base": (768, 12)}
"""Hidden size and layers of known encoders."""

TOKENS = 512


@dataclass(frozen=True)
class Measured:
    """Peaks of resident memory in megabytes: after importing the engine, and after two answers."""

    bundle: str
    engine: Engine
    files: float
    imported: float
    answered: float

    @property
    def factor(self) -> float:
        return (self.answered - self.imported) / self.files


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        found = [measured(label, folder) for label, folder in bundles(Path(name))]
    print_table(
        "Peak of resident memory of a process that loads one bundle and answers twice",
        ("bundle", "engine", "files MB", "imported MB", "answered MB", "MB for each MB of files", "allowed for"),
        [
            (
                one.bundle,
                one.engine,
                f"{one.files:.0f}",
                f"{one.imported:.0f}",
                f"{one.answered:.0f}",
                f"{one.factor:.2f}",
                f"{NEEDS[one.engine].megabytes(one.files):.0f}",
            )
            for one in found
        ],
    )


def measured(label: str, folder: Path) -> Measured:
    """Load the bundle in a new process."""
    report = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], check=True, capture_output=True, text=True
    ).stdout.splitlines()[-1]
    manifest = describe(folder)
    return Measured(label, manifest.engine, manifest.served_size / 1e6, **json.loads(report))


MEASURE = f"""
import json, re, sys
from pathlib import Path
from importlib import import_module
from triage.bundle import describe
from triage.inference.engine import load_engine

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024 / 1e6

folder = Path(sys.argv[1])
manifest = describe(folder)
import_module(f"triage.inference.{{manifest.engine}}_engine")
if manifest.engine == "transformers":
    from transformers import BertForSequenceClassification
imported = peak()
engine = load_engine(folder, manifest)
for _ in range(2):
    engine.score("word " * {TOKENS})
print(json.dumps({{"imported": imported, "answered": peak()}}))
"""


def bundles(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the bundles one after another. Each is removed when the next is asked for."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    from training.bundle.graph import export_onnx, quantise

    words = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1, "word": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]")
    tokenizer.model_max_length = TOKENS
    for label, (hidden, layers) in SIZES.items():
        config = BertConfig(
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=hidden // 32,
            intermediate_size=4 * hidden,
            id2label={number: str(number) for number in range(11)},
        )
        with tempfile.TemporaryDirectory(dir=folder) as name:
            exact, half, graph, small = (Path(name) / kind for kind in ("exact", "half", "graph", "small"))
            model: Any = BertForSequenceClassification(config)
            for target, kind in ((exact, torch.float32), (half, torch.float16)):
                model.to(kind).save_pretrained(target)
                tokenizer.save_pretrained(target)
            for target in (graph, small):
                target.mkdir()
                tokenizer.save_pretrained(target)
                (target / "config.json").write_text((exact / "config.json").read_text())
            del model
            yield f"{label}, float32", exact
            yield f"{label}, float16", half
            export_onnx(exact, graph / "model.onnx", max_length=TOKENS)
            yield f"{label}, float32", graph
            quantise(graph / "model.onnx", small / "model.onnx", workspace=Path(name))
            yield f"{label}, int8", small


if __name__ == "__main__":
    main()
