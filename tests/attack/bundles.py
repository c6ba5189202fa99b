"""Somebody publishes models on the Hub that name code, files elsewhere or labels of any size, or that never read."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from tests.attack.attacks import Attack, Outcome, Target, judged
from tests.factories import any_hub_model, any_manifest
from tests.system.bundles import transformers_model
from triage.bundle import MANIFEST_FILE, BundleFile, hash_files

LABELS = ["calm", "urgent"]
INDEX = "model.safetensors.index.json"
Spoil = Callable[[Path], object]


def change(folder: Path, name: str, **values: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def panicking(pattern: str) -> Spoil:
    """Return what makes a model that reads, whose tokenizer also has an expression on which its library may panic."""

    def build(folder: Path) -> None:
        # Without a configuration of the tokenizer, its file is read as it is.
        shutil.rmtree(folder)
        any_hub_model(folder, labels=LABELS)
        own = json.loads((folder / "tokenizer.json").read_text())["pre_tokenizer"]
        split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        change(folder, "tokenizer.json", pre_tokenizer={"type": "Sequence", "pretokenizers": [split, own]})

    return build


def sharded(name: str) -> Spoil:
    """Return what gives the model an index that names a file of weights beside a shard of its own."""

    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        weights = {"classifier.bias": "model-00001-of-00002.safetensors", "classifier.weight": name}
        (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weights}))

    return spoil


def stating(name: str) -> Spoil:
    """Return what adds a manifest that names a file."""

    def spoil(folder: Path) -> None:
        files = (*hash_files(folder), BundleFile(path=name, sha256="0" * 64, size=7))
        manifest = any_manifest(labels=tuple(LABELS), engine="transformers", weights="model.safetensors", files=files)
        (folder / MANIFEST_FILE).write_bytes(manifest.document())

    return spoil


def settings(name: str, **values: Any) -> Spoil:
    return lambda folder: change(folder, name, **values)


def random_weights(folder: Path) -> None:
    """Leave the head out of the weights, so that a library would fill it at random."""
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "classifier" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


ENDLESS = "([a-zA-Z ,.]+)+[0-9]"
"""Takes time that doubles with each letter of a text without digits, until the tokenizer's library panics."""

SPOILED: dict[str, tuple[Spoil, str]] = {
    "an expression that panics": (panicking(ENDLESS), "BundleUnfitError"),
    "weights without a head": (random_weights, "BundleUnfitError"),
    "a label of 90 KB": (settings("config.json", id2label={"0": "calm", "1": "u" * 90_000}), "BundleCorruptError"),
    "attention from the Hub": (settings("config.json", attn_implementation="somebody/kernel"), "BundleUnsafeError"),
    "code in the tokenizer": (
        settings("tokenizer_config.json", auto_map={"AutoTokenizer": ["somebody/code--it.It", None]}),
        "BundleUnsafeError",
    ),
    "shards outside the folder": (sharded("../../other/model.safetensors"), "BundleUnsafeError"),
    "shards at a path of the machine": (sharded("/etc/passwd"), "BundleUnsafeError"),
    "shards named by a pattern": (sharded("model-*.safetensors"), "BundleUnsafeError"),
    "a manifest with a pattern": (stating("model-*.safetensors"), "BundleUnsafeError"),
    "a manifest with a path": (stating("../../other.safetensors"), "BundleUnsafeError"),
}
"""What is spoiled, and the error that names it."""


def refused_bundles(target: Target) -> Outcome:
    machine, taken, reasons = target.machine, list[str](), list[str]()
    for number, (what, (spoil, error)) in enumerate(SPOILED.items()):
        folder = transformers_model(target.place(), LABELS)
        spoil(folder)
        model_id = f"attacker/model-{number}"
        revision = machine.publish(folder, model_id)
        arguments = ("models", "register", model_id, "--revision", revision, "--task", "mood", "--activate")
        done = machine.triage(*arguments, check=False)
        said = " ".join(done.stderr.split())
        if done.returncode == 0 or machine.deployment.registry.get(model_id, revision).bundle is not None:
            taken.append(f"{what} was registered")
            machine.deployment.registry.retire(model_id, revision, by="test")
        elif error not in said:
            taken.append(f"{what} was refused without the reason {error}: {said[-200:]}")
        reasons.append(error)
    return judged(taken, f"{len(reasons)} spoiled bundles were refused, with {' or '.join(sorted(set(reasons)))}")


def rarely_panicking(target: Target) -> Outcome:
    """Register a model that reads the letters of a trial, and panics on the letter that its author then sends."""
    machine = target.machine
    folder = target.place()
    folder.mkdir()
    panicking("(a+)+$")(folder)
    before = machine.instance.children["models"]
    model = machine.register(folder, "attacker/rare", "mood")
    try:
        items = [target.item(narrative="My card was charged twice. " + "a" * 3_000 + "!"), target.item()]
        allocations = machine.allocate(*items)
    finally:
        machine.retire(model)
    asked, plain = ({decision.task for decision in allocation.decisions} for allocation in allocations)
    succeeded = [f"no decision on {task}" for task in ("product", "issue", "vulnerable") if task not in asked]
    if machine.instance.children["models"] != before:
        succeeded.append("the model server ended")
    if "ModelFailedError" not in history(target, items[0]["complaint_id"]):
        succeeded.append("the panic was no failure of the model, so the function was tried again")
    if "mood" not in plain or "mood" in asked:
        raise RuntimeError("the model does not fail on that letter alone, so nothing was attacked")
    return judged(succeeded, "a model that panics on one letter cost its own answer and no other; no process ended")


def history(target: Target, execution: str) -> str:
    """Return everything that Step Functions recorded of a complaint's triage."""
    arn = target.machine.deployment.name("state-machine").replace(":stateMachine:", ":execution:")
    client = target.machine.aws.client("stepfunctions")
    return str(client.get_execution_history(executionArn=f"{arn}:{execution}")["events"])


ATTACKS = (
    Attack("a published model brings code, files or labels of its own", refused_bundles),
    Attack("a registered model stops the others", rarely_panicking),
)
