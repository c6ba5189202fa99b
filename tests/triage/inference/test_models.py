import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import any_manifest, any_model_reference, any_sha256
from triage.bundle import BundleFile, Manifest
from triage.errors import BundleCorruptError, BundleUnavailableError, BundleUnsafeError, ModelFailedError
from triage.inference.engine import Engine, Scores
from triage.inference.models import LoadedModels
from triage.steps import ModelReference

WEIGHTS = b"weights"


class Silent:
    def score(self, text: str) -> Scores:
        return Scores((0.0, 0.0), 1, 1)


class FolderStore:
    """A store that counts its requests."""

    def __init__(self, content: bytes = WEIGHTS, name: str = "model.onnx") -> None:
        self.content = content
        self.name = name
        self.fetched: list[str] = []

    def manifest(self, model: ModelReference) -> Manifest:
        files = (
            BundleFile(path="model.onnx", sha256=any_sha256(WEIGHTS.decode()), size=len(WEIGHTS)),
            *([BundleFile(path=self.name, sha256=any_sha256("x"), size=1)] if self.name != "model.onnx" else []),
        )
        return any_manifest(files=files)

    def fetch(self, model: ModelReference, manifest: Manifest, folder: Path) -> None:
        self.fetched.append(model.revision)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(self.content)


class DeadStore(FolderStore):
    def manifest(self, model: ModelReference) -> Manifest:
        raise BundleUnavailableError("no answer")


def model(letter: str) -> ModelReference:
    return any_model_reference(revision=letter * 40, manifest_sha256=any_sha256(letter))


def loaded_models(
    folder: Path,
    *,
    store: FolderStore | None = None,
    capacity: int = 2,
    load: Callable[[Path, Manifest], Engine] = lambda folder, manifest: Silent(),
    **bounds: float,
) -> LoadedModels:
    return LoadedModels(store or FolderStore(), folder=folder, capacity=capacity, load=load, **bounds)


def test_a_model_is_fetched_and_loaded_once(tmp_path):
    store = FolderStore()
    models = loaded_models(tmp_path, store=store)
    assert models.get(model("a")) is models.get(model("a"))
    assert store.fetched == ["a" * 40]


def test_the_model_used_least_recently_makes_room(tmp_path):
    store = FolderStore()
    models = loaded_models(tmp_path, store=store, capacity=2)
    for letter in "abac":
        models.get(model(letter))
    models.get(model("a"))
    assert store.fetched == [letter * 40 for letter in "abc"]
    models.get(model("b"))
    assert store.fetched[-1] == "b" * 40


@pytest.mark.parametrize(("files", "kept"), [(3, 3), (2.5, 2), (1, 1), (0.5, 1)])
def test_models_are_kept_while_their_files_are_small_enough_together(tmp_path, files, kept):
    """A model that is larger than the bound is loaded alone."""
    models = loaded_models(tmp_path, capacity=9, megabytes=files * len(WEIGHTS) / 1e6)
    for letter in "abcdef":
        models.get(model(letter))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == kept


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_room_is_made_before_the_next_model_is_loaded(tmp_path, capacity):
    alive: set[int] = set()
    beside: list[int] = []

    class Counted(Silent):
        def __init__(self) -> None:
            beside.append(len(alive))
            alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    models = loaded_models(tmp_path, capacity=capacity, load=lambda folder, manifest: Counted())
    for letter in "abcdef":
        models.get(model(letter))
    assert max(beside) == capacity - 1


def test_what_differs_from_its_manifest_is_never_loaded(tmp_path):
    loaded: list[Path] = []

    def load(folder: Path, manifest: Manifest) -> Engine:
        loaded.append(folder)
        return Silent()

    models = loaded_models(tmp_path, store=FolderStore(b"weightz"), load=load)
    with pytest.raises(BundleCorruptError):
        models.get(model("a"))
    assert loaded == []


def test_a_file_that_may_not_be_loaded_is_refused(tmp_path):
    with pytest.raises(BundleUnsafeError):
        loaded_models(tmp_path, store=FolderStore(name="code.py")).get(model("a"))


def test_a_failure_is_not_remembered(tmp_path):
    store = FolderStore(b"broken!")
    models = loaded_models(tmp_path, store=store)
    with pytest.raises(BundleCorruptError):
        models.get(model("a"))
    store.content = WEIGHTS
    assert models.get(model("a")).engine.score("text")


def test_a_failure_leaves_the_other_models_usable(tmp_path):
    store = FolderStore()
    models = loaded_models(tmp_path, store=store, capacity=2)
    models.get(model("a"))
    store.content = b"broken!"
    with pytest.raises(BundleCorruptError):
        models.get(model("b"))
    models.get(model("a"))
    assert store.fetched.count("a" * 40) == 1


def test_a_store_that_does_not_answer_is_transient(tmp_path):
    with pytest.raises(BundleUnavailableError):
        loaded_models(tmp_path, store=DeadStore()).get(model("a"))


class Panic(BaseException):
    """As libraries written in Rust raise it."""


@pytest.mark.parametrize("kind", [RuntimeError, Panic, SystemExit])
def test_weights_that_cannot_be_loaded_are_refused(tmp_path, kind):
    def load(folder: Path, manifest: Manifest) -> Engine:
        raise kind("Protobuf parsing failed")

    with pytest.raises(ModelFailedError, match=kind.__name__):
        loaded_models(tmp_path, load=load).get(model("a"))


def test_the_files_of_a_model_go_with_it(tmp_path):
    models = loaded_models(tmp_path, capacity=1)
    for letter in "abcdef":
        models.get(model(letter))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_threads_that_ask_together_load_once(tmp_path):
    store = FolderStore()
    models = loaded_models(tmp_path, store=store)
    barrier = threading.Barrier(8)
    seen: list[int] = []

    def ask() -> None:
        barrier.wait()
        seen.append(id(models.get(model("a"))))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == len(store.fetched) == 1


def test_a_model_that_is_being_loaded_holds_up_no_other(tmp_path):
    begun, go_on = threading.Event(), threading.Event()

    def load(folder: Path, manifest: Manifest) -> Engine:
        if folder.name == any_sha256("b"):
            begun.set()
            assert go_on.wait(10)
        return Silent()

    models = loaded_models(tmp_path, capacity=3, load=load)
    models.get(model("a"))
    slow = threading.Thread(target=models.get, args=[model("b")])
    slow.start()
    try:
        assert begun.wait(10)
        answered = threading.Event()

        def ask_for_others() -> None:
            models.get(model("a"))
            models.get(model("c"))
            answered.set()

        other = threading.Thread(target=ask_for_others)
        other.start()
        assert answered.wait(5), "the model that is loaded, or another one, waited for it"
        other.join()
    finally:
        go_on.set()
        slow.join()
    assert models.get(model("b"))


@pytest.mark.parametrize("capacity", [1, 2])
def test_models_that_load_beside_each_other_keep_within_the_capacity(tmp_path, capacity):
    lock, now, most = threading.Lock(), [0], [0]

    def load(folder: Path, manifest: Manifest) -> Engine:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return Silent()

    models = loaded_models(tmp_path, capacity=capacity, load=load)
    threads = [threading.Thread(target=models.get, args=[model(letter)]) for letter in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] == capacity
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == capacity


def test_a_model_that_cannot_be_loaded_gives_its_room_back(tmp_path):
    store = FolderStore(b"broken!")
    models = loaded_models(tmp_path, store=store, capacity=1)
    with pytest.raises(BundleCorruptError):
        models.get(model("a"))
    store.content = WEIGHTS
    assert models.get(model("b"))
