"""Compares explanations with those of `shap`.

    python -m benchmarks.explanation [--data EXPORT] [--rounds N] [--complaints N] [--checks N]

Speed: the time for a whole explanation, with words and checks, and the time of `shap.Explainer` over a
`transformers.pipeline` of the same bundle, measured in turn. Agreement: the rank correlation of the attributions of
sentences with those of `shap.Explainer` over the served model. Each reference takes a minute, and is kept in
`build/explanations`.
"""

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import fmean, median
from typing import Any

import cli  # noqa: F401  # settles how huggingface_hub speaks to the Hub, before it is imported
from cli.output import out, print_table, progress_bar
from local.state import ROOT
from training.data.complaint_files import read_export
from training.generator import generate
from triage.bundle import Manifest, describe
from triage.explanation.checks import rank_correlation
from triage.explanation.explain import Recorded, explain
from triage.explanation.record import Explained
from triage.inference.classify import as_read, classify, softmax
from triage.inference.engine import Engine, load_engine
from triage.text import clean

BUNDLES = (ROOT / "build" / "measured", ROOT / "build" / "models")
REFERENCES = ROOT / "build" / "explanations"
WORDS = 200
"""Speed is measured on the complaint whose number of words is nearest to this."""

MEDIUM_LENGTH = range(150, 261)
"""The number of words of the compared complaints. Generated letters are shorter, so the longest are used."""

NEAREST_OF = 30
PIPELINE_EVALUATIONS = 500
REFERENCE_EVALUATIONS = 2000
THREADS = 2


@dataclass(frozen=True)
class Subject:
    folder: Path
    engine: Engine
    manifest: Manifest

    def recorded(self, text: str) -> Recorded:
        answer = classify(text, engine=self.engine, manifest=self.manifest)
        return Recorded(answer.label, answer.confidence)

    def explain(self, text: str, recorded: Recorded | None = None) -> Explained:
        asked = recorded or self.recorded(text)
        return explain(text, asked, engine=self.engine, manifest=self.manifest, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="an export of real complaints (default: generated ones)")
    parser.add_argument("--task", default="product")
    parser.add_argument("--rounds", type=int, default=1, help="how many times speed is measured")
    parser.add_argument("--complaints", type=int, default=3, help="how many complaints are compared with shap")
    parser.add_argument("--checks", type=int, default=0, help="instead, check this many explanations")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = next(base / arguments.task for base in BUNDLES if (base / arguments.task).is_dir())
    manifest = describe(folder)
    subject = Subject(folder, load_engine(folder, manifest), manifest)
    if arguments.checks:
        report_checks(subject, list(islice(letters(arguments.data), arguments.checks)))
        return
    count = max(NEAREST_OF, arguments.complaints)
    texts = texts_of_medium_length(
        letters(arguments.data), words=lambda text: len(as_read(text, manifest).split()), count=count
    )
    if not texts:
        parser.error(f"{arguments.data} has no narrative; name an export with narratives")
    if arguments.rounds:
        report_speed(subject, min(texts, key=distance_from_words), rounds=arguments.rounds)
    report_agreement(subject, texts[: arguments.complaints])


def texts_of_medium_length(texts: Iterable[str], *, words: Callable[[str], int], count: int) -> list[str]:
    """Return the first texts of medium length, or if there are none, those nearest to WORDS."""
    kept = list(texts)
    fitting = list(islice((text for text in kept if words(text) in MEDIUM_LENGTH), count))
    return fitting or sorted(kept, key=distance_from_words)[:count]


def distance_from_words(text: str) -> int:
    return abs(len(text.split()) - WORDS)


def letters(data: Path | None) -> Iterator[str]:
    """Yield cleaned narratives, each once, in a random order that is always the same."""
    if data is None:
        yield from (clean(letter.narrative) for letter in generate(10_000, seed=8))
        return
    found = {clean(row.narrative): row.complaint_id or "" for row in read_export(data) if row.narrative}
    yield from sorted((text for text in found if text), key=lambda text: hashlib.sha256(found[text].encode()).digest())


def report_speed(subject: Subject, text: str, *, rounds: int) -> None:
    """Print medians over the rounds. Each round times both explainers in turn, and has its own ratio."""
    import shap
    from transformers import pipeline

    # The pipeline must read as much of the text as our engine; by default it reads what the tokenizer's file states.
    model = pipeline(
        "text-classification",
        model=str(subject.folder),
        device="cpu",
        top_k=None,
        truncation=True,
        max_length=subject.manifest.max_length,
    )
    explainer = shap.Explainer(model)
    recorded, read = subject.recorded(text), [as_read(text, subject.manifest)]
    explained = subject.explain(text, recorded)
    model(text)
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        ours.append(seconds(lambda: subject.explain(text, recorded)))
        theirs.append(seconds(lambda: explainer(read, max_evals=PIPELINE_EVALUATIONS, silent=True)))
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    print_table(
        f"One explanation of {len(text.split())} words, {rounds} times",
        ("what", "evaluations", "seconds", "ratio", "lowest and highest"),
        (
            ("shap.Explainer over transformers.pipeline", PIPELINE_EVALUATIONS, f"{median(theirs):.1f}", "1.000", ""),
            (
                "ours, with words and checks",
                explained.method.evaluations,
                f"{median(ours):.2f}",
                f"{median(ratios):.3f}",
                f"{min(ratios):.3f}, {max(ratios):.3f}",
            ),
        ),
    )


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def report_agreement(subject: Subject, texts: Sequence[str]) -> None:
    correlations = []
    with progress_bar() as bar:
        for text in bar.track(texts, description="references"):
            explained = subject.explain(text)
            if len(explained.sentences) > 1:
                theirs = reference(subject, as_read(text, subject.manifest), explained)
                correlations.append(rank_correlation([one.label for one in explained.sentences], theirs))
    if correlations:
        figures = (len(correlations), fmean(correlations), median(correlations), min(correlations))
        print_table(
            f"Rank correlation of sentence attributions with shap at {REFERENCE_EVALUATIONS} evaluations",
            ("complaints", "mean", "median", "lowest"),
            [[figures[0], *(f"{figure:.3f}" for figure in figures[1:])]],
        )


def reference(subject: Subject, text: str, explained: Explained) -> list[float]:
    """Return shap's attribution of each of our sentences to our label: the sum over its tokens."""
    key = hashlib.sha256(f"{subject.manifest.weights_sha256} {REFERENCE_EVALUATIONS} {text}".encode()).hexdigest()
    kept = REFERENCES / f"{key}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(attributed_by_shap(subject, text)))
    found = json.loads(kept.read_text())
    place = subject.manifest.labels.index(explained.label)
    tokens = [
        (start, values[place])
        for (start, end), values in zip(found["offsets"], found["values"], strict=True)
        if start < end
    ]
    return [
        sum(value for start, value in tokens if one.part.start <= start < one.part.end) for one in explained.sentences
    ]


def attributed_by_shap(subject: Subject, text: str) -> dict[str, Any]:
    import numpy as np
    import shap
    from transformers import AutoTokenizer

    # This reads the whole text, as our engine does.
    tokenizer = AutoTokenizer.from_pretrained(str(subject.folder), model_max_length=10**6)

    def probabilities(texts: Sequence[str]) -> Any:
        with ThreadPoolExecutor(THREADS) as pool:
            scored = pool.map(lambda one: subject.engine.score(str(one)).logits, texts)
            return np.array([softmax(logits, subject.manifest.calibration.temperature) for logits in scored])

    explainer = shap.Explainer(probabilities, tokenizer, output_names=list(subject.manifest.labels), seed=0)
    explained = explainer([text], max_evals=REFERENCE_EVALUATIONS, batch_size=32, silent=True)
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    return {"offsets": offsets, "values": explained.values[0].tolist()}


def report_checks(subject: Subject, texts: Sequence[str]) -> None:
    """Print how many explanations pass which checks, and how long they take."""
    found, took = list[Explained](), list[float]()
    with progress_bar() as bar:
        for text in bar.track(texts, description="explanations"):
            began = time.perf_counter()
            found.append(subject.explain(text))
            took.append(time.perf_counter() - began)
    faithful = [one.checks.faithfulness for one in found if one.checks.faithfulness]
    steady = [one.checks.stability for one in found if one.checks.stability is not None]
    failures = [failure.split("(")[0].strip() for one in found for failure in one.checks.failures]
    print_table(
        f"Explanations of {len(texts)} complaints",
        ("figure", "value"),
        (
            ("complete", f"{len(found)} of {len(texts)}"),
            ("recorded answer reproduced", sum(one.reproduced for one in found)),
            ("text was cut off", sum(one.truncation.tokens_total > one.truncation.tokens_seen for one in found)),
            ("passed all checks", sum(one.checks.passed for one in found)),
            ("largest additivity residual", f"{max(one.checks.additivity_residual for one in found):.2g}"),
            ("deletion below chance", f"{sum(f.deletion < f.deletion_at_random for f in faithful)} of {len(faithful)}"),
            ("mean probability, hiding what is named", f"{fmean(f.deletion for f in faithful):.3f}"),
            ("the same at random", f"{fmean(f.deletion_at_random for f in faithful):.3f}"),
            (
                "insertion above chance",
                f"{sum(f.insertion > f.insertion_at_random for f in faithful)} of {len(faithful)}",
            ),
            ("mean probability, showing what is named", f"{fmean(f.insertion for f in faithful):.3f}"),
            ("the same at random", f"{fmean(f.insertion_at_random for f in faithful):.3f}"),
            ("median and lowest stability", f"{median(steady):.2f}, {min(steady):.2f}"),
            ("median evaluations", median(one.method.evaluations for one in found)),
            ("median and longest seconds", f"{median(took):.1f}, {max(took):.1f}"),
        ),
    )
    for failure in sorted({*failures}):
        out.print(f"{failures.count(failure)} failed: {failure}")


if __name__ == "__main__":
    main()
