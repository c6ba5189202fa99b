"""From a trained model to a bundle: ONNX, int8 where it is as good, calibration, manifest and model card."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from tokenizers import Tokenizer
from torch import nn

from training.bundle.card import model_card
from training.bundle.graph import combine
from training.bundle.hub import CARD_FILE
from training.bundle.onnx_graph import export_onnx, quantise
from training.bundle.parity import compare
from training.bundle.seen import save_seen
from training.bundle.thresholds import Floats, Integers, choose, probabilities
from training.data.groups import Groups
from training.data.prepare import Example, Prepared
from training.evaluation.measures import figures
from training.evaluation.predictions import logits as scored
from training.evaluation.ranking import precision_at_recalls
from training.evaluation.scored_answers import Judged
from training.model.blend import ENCODER_ALONE, Blend, fit_blend
from training.model.encoding import Progress
from training.model.wide import Layer, WidePart, features_of, read, save
from training.recipe import Recipe
from triage.bundle import MANIFEST_FILE, WIDE_FILE, Manifest, hash_files
from triage.inference.engine import load_engine
from triage.redaction import REDACTION_VERSION
from triage.taxonomy import load_taxonomy

ONNX_FILE, ENCODER_FILE = "model.onnx", "encoder.onnx"

TASKS_OF_THE_TAXONOMY = ("product", "issue")

PROVEN = 100
"""Texts on which the graph that serves must give what its parts gave apart."""

TOLERANCE = 0.02
"""Of a logit; the wide part's weights are stored in half precision."""


class ExportFailedError(Exception):
    """The graph does not compute what its parts do."""


@dataclass(frozen=True)
class Held:
    """The validation part of one task: texts, places of their true labels and near-duplicate groups, n of each."""

    texts: tuple[str, ...]
    truth: Integers
    groups: Groups


@dataclass(frozen=True)
class Exporter:
    """What the steps of one export share.

    mean: the head on the mean of all tokens, if the recipe has one.
    workspace: a folder for the candidates, to be deleted afterwards.
    """

    task: str
    labels: tuple[str, ...]
    recipe: Recipe
    mean: nn.Linear | None
    wide: WidePart | None
    workspace: Path

    def export(self, folder: Path, prepared: Prepared, progress: Progress) -> Manifest:
        """Complete the bundle in `folder`, which holds a saved model and its tokenizer.

        Raises:
            ExportFailedError: the graph that would serve differs from its parts.
        """
        held = held_out(prepared, self.task)
        full, small = self.candidates(folder)
        progress(0.3)
        exact = self.serve(full, held.texts, lambda done: progress(0.3 + 0.45 * done))
        quantised = self.serve(small, held.texts, lambda done: progress(0.75 + 0.2 * done))
        blend, apart = ENCODER_ALONE, {}
        if self.wide is not None:
            scores = self.scores_of(self.wide, folder, held.texts)
            blend = fit_blend(quantised, scores, held.truth)
            apart = parts_apart(quantised, scores, held.truth, blend)
            exact, quantised = blend.of(exact, scores), blend.of(quantised, scores)
            save(self.wide, folder / WIDE_FILE, mean=None if self.mean is None else layer_of(self.mean))
        parity = compare(exact, quantised, held.truth, held.groups)
        chosen, logits = (small, quantised) if parity.holds else (full, exact)
        self.assemble(chosen, blend)
        self.prove(chosen, held.texts[:PROVEN], logits[:PROVEN])
        (chosen / ONNX_FILE).rename(folder / ONNX_FILE)
        progress(1.0)
        more = apart | {f"parity_{name}": value for name, value in asdict(parity).items()}
        return describe_run(folder, self.task, prepared, self.recipe, logits=logits, truth=held.truth, more=more)

    def candidates(self, folder: Path) -> tuple[Path, Path]:
        """A folder with the graph in float32, and one in int8; both serve the encoder alone."""
        full, small = self.workspace / "float32", self.workspace / "int8"
        for candidate in (full, small):
            candidate.mkdir(parents=True)
            shutil.copy(folder / "tokenizer.json", candidate)
        export_onnx(folder, full / ENCODER_FILE, max_length=self.recipe.max_length, mean=self.mean)
        quantise(full / ENCODER_FILE, small / ENCODER_FILE, workspace=self.workspace)
        for candidate in (full, small):
            self.assemble(candidate, ENCODER_ALONE)
        return full, small

    def assemble(self, candidate: Path, blend: Blend) -> None:
        """Write the graph that serves beside the encoder's."""
        graph = onnx.load(candidate / ENCODER_FILE)
        if self.wide is not None:
            graph = combine(graph, self.wide, blend, window=self.recipe.max_length)
        onnx.save(graph, candidate / ONNX_FILE)

    def scores_of(self, wide: WidePart, folder: Path, texts: Sequence[str]) -> Floats:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return wide.scores(features_of(read(tokenizer, texts, length=self.recipe.length), wide.vocabulary))

    def serve(self, candidate: Path, texts: Sequence[str], progress: Progress = lambda _: None) -> Floats:
        """Logits of shape (n, labels) from the very engine that serves."""
        manifest = Manifest(
            engine="onnx",
            weights=ONNX_FILE,
            labels=self.labels,
            max_length=self.recipe.length,
            files=hash_files(candidate),
        )
        done = 0

        def count(more: int) -> None:
            nonlocal done
            done += more
            progress(done / len(texts))

        return scored(load_engine(candidate, manifest), texts, labels=len(self.labels), progress=count)

    def prove(self, candidate: Path, texts: Sequence[str], expected: Floats) -> None:
        difference = float(np.abs(self.serve(candidate, texts) - expected).max())
        if difference > TOLERANCE:
            raise ExportFailedError(f"the graph of {self.task} differs from its parts by {difference:.3g}")


def layer_of(head: nn.Linear) -> Layer:
    weights, bias = (parameter.detach().numpy() for parameter in (head.weight, head.bias))
    return Layer(weights.T, bias)


def held_out(prepared: Prepared, task: str) -> Held:
    """Validation examples whose label the task knows."""
    places = {label: place for place, label in enumerate(prepared.labels[task])}
    known = [example for example in prepared.validation if example.labels.get(task) in places]
    truth = np.array([places[example.labels[task]] for example in known])
    return Held(tuple(example.text for example in known), truth, _numbered(known))


def parts_apart(logits: Floats, scores: Floats, truth: Integers, blend: Blend) -> dict[str, float]:
    """What each part gives without the other, and what it counts."""
    right = {"encoder": logits.argmax(axis=1) == truth, "wide": scores.argmax(axis=1) == truth}
    return {
        **{f"{part}_alone_accuracy": float(correct.mean()) for part, correct in right.items()},
        "blend_deep": blend.deep,
        "blend_wide": blend.wide,
    }


def _numbered(examples: Sequence[Example]) -> Groups:
    """An example without a group is one of its own."""
    names = [f"alone {row}" if each.group is None else f"group {each.group}" for row, each in enumerate(examples)]
    groups: Groups = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return groups


def describe_run(
    folder: Path,
    task: str,
    prepared: Prepared,
    recipe: Recipe,
    *,
    logits: Floats,
    truth: Integers,
    more: Mapping[str, float],
) -> Manifest:
    """Write digests of the texts, `triage.json`, with `more` metrics, and the model card beside the weights."""
    labels, aim = prepared.labels[task], recipe.tasks[task]
    calibration, thresholds = choose(logits, truth, labels=labels, aim=aim)
    judged = Judged(
        labels=labels,
        probability=probabilities(logits, calibration.temperature),
        truth=np.array(labels)[truth],
        positive=aim.positive_label,
        thresholds=thresholds,
    )
    metrics = {
        **{name: value for name, value in figures(judged).items() if value is not None},
        **{f"precision_at_recall_{recall}": value for recall, value in precision_at_recalls(judged).items()},
        **more,
        "train_examples": float(len(prepared.train)),
        "validation_examples": float(len(truth)),
    }
    save_seen((example.text for example in (*prepared.train, *prepared.validation)), folder)
    manifest = Manifest(
        task=task,
        engine="onnx",
        weights=ONNX_FILE,
        labels=labels,
        label_counts=tuple(prepared.counts(task).values()),
        positive_label=aim.positive_label,
        max_length=recipe.length,
        files=hash_files(folder),
        calibration=calibration,
        thresholds=thresholds,
        taxonomy_version=load_taxonomy().version if task in TASKS_OF_THE_TAXONOMY else None,
        redaction_version=REDACTION_VERSION,
        data_fingerprint=prepared.fingerprint,
        source_fingerprint=prepared.source,
        recipe=recipe.reference,
        metrics=metrics,
    )
    (folder / MANIFEST_FILE).write_bytes(manifest.document())
    (folder / CARD_FILE).write_text(model_card(manifest, recipe), encoding="utf-8")
    return manifest
