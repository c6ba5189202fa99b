import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App, Stack

from stacks import packages
from stacks.packages import RUNTIME, Packages, digest, stage_image, stage_sources
from stacks.settings import DEV, LOCAL
from triage import __version__
from triage.functions import EXPLAIN

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def build(tmp_path, monkeypatch):
    """An empty build folder for this test alone."""
    monkeypatch.setattr(packages, "BUILD", tmp_path / "build")
    return tmp_path / "build"


def packaged(settings=DEV) -> Packages:
    return Packages(Stack(App(), "Stack"), "Packages", settings=settings)


def warnings(construct: Packages) -> list[str]:
    return [str(entry.data) for entry in construct.node.metadata if entry.type == "aws:cdk:warning"]


def test_the_domain_and_the_runtime_are_staged_and_nothing_else(tmp_path):
    staged = stage_sources(tmp_path / "sources")
    assert {path.name for path in staged.iterdir()} == {"triage", "runtime"}


def test_every_module_is_staged_as_it_is(tmp_path):
    staged = stage_sources(tmp_path / "sources")
    modules = [path for package in ("triage", "runtime") for path in (ROOT / package).rglob("*.py")]
    assert all((staged / path.relative_to(ROOT)).read_bytes() == path.read_bytes() for path in modules)
    assert (staged / "triage" / "taxonomy.json").is_file()


def test_only_sources_are_staged(tmp_path, monkeypatch):
    root = tmp_path / "root"
    for package in ("triage", "runtime"):
        (root / package / "__pycache__").mkdir(parents=True)
        (root / package / "__pycache__" / "module.cpython-311.pyc").touch()
        (root / package / "module.py").touch()
    (root / "runtime" / "requirements.txt").touch()
    (root / "runtime" / "requirements.lock").touch()
    (root / "runtime" / "transformers.Dockerfile").touch()
    (root / "stacks").mkdir()
    monkeypatch.setattr(packages, "ROOT", root)
    assert files(stage_sources(tmp_path / "sources")) == {"triage/module.py", "runtime/module.py"}


def test_what_an_earlier_staging_left_is_gone(tmp_path):
    target = tmp_path / "sources"
    (target / "triage").mkdir(parents=True)
    (target / "triage" / "deleted_module.py").touch()
    assert "triage/deleted_module.py" not in files(stage_sources(target))


def test_the_image_is_built_from_the_sources_and_its_requirements(tmp_path, build):
    sources = stage_sources(tmp_path / "sources")
    image = stage_image(sources)
    assert files(image) == files(sources) | {"Dockerfile", "requirements.lock"}
    assert (image / "requirements.lock").read_text() == (ROOT / "runtime/requirements-image.lock").read_text()


def test_the_image_copies_what_is_staged_and_runs_the_inference_handler(tmp_path, build):
    image = stage_image(stage_sources(tmp_path / "sources"))
    lines = (image / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ")}
    assert copied == {path.name for path in image.iterdir()} - {"Dockerfile"}
    assert 'CMD ["runtime.model_inference.handler"]' in lines


def test_the_image_runs_the_python_of_the_zip_functions():
    dockerfile = (ROOT / "runtime" / "transformers.Dockerfile").read_text()
    found = re.search(r"lambda/python:([\d.]+)-arm64", dockerfile)
    assert found and RUNTIME.name == f"python{found[1]}"


def test_the_image_is_built_from_pinned_bytes_alone():
    """Its base by digest, its libraries by hash."""
    dockerfile = (ROOT / "runtime" / "transformers.Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert bases and all(re.fullmatch(r"[\w./:-]+@sha256:[0-9a-f]{64}", base) for base in bases)
    (installs,) = re.findall(r"^RUN (pip install .*)$", dockerfile, re.MULTILINE)
    assert "--require-hashes -r requirements.lock" in installs


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "one.py").write_text("1")
    (folder / "package" / "two.py").write_text("2")
    return folder


def test_equal_sources_have_equal_digests_wherever_and_whenever_they_were_built(folder, tmp_path):
    before = digest(folder)
    os.utime(folder / "package" / "one.py", (0, 0))
    assert digest(folder) == before
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == before


def test_a_changed_file_changes_the_digest(folder):
    before = digest(folder)
    (folder / "package" / "one.py").write_text("1 ")
    assert digest(folder) != before


def test_a_renamed_file_changes_the_digest(folder):
    before = digest(folder)
    (folder / "package" / "one.py").rename(folder / "package" / "three.py")
    assert digest(folder) != before


def test_text_that_moves_from_one_file_to_the_next_changes_the_digest(folder):
    before = digest(folder)
    (folder / "package" / "one.py").write_text("")
    (folder / "package" / "two.py").write_text("12")
    assert digest(folder) != before


def test_the_code_version_names_the_release_and_the_sources(build, tmp_path):
    version = packaged(LOCAL).code_version
    assert version == f"{__version__}+{digest(stage_sources(tmp_path / 'again'))[:12]}"


def test_a_host_package_has_no_libraries_of_its_own(build):
    found = packaged(replace(DEV, packages="host"))
    assert found.control is found.onnx is found.transformers(EXPLAIN)
    assert not found.control.layers and not found.control.is_image
    assert not warnings(found)


def test_each_engine_has_its_package(build):
    found = packaged()
    assert found.transformers(EXPLAIN).is_image and not found.transformers(EXPLAIN).layers
    assert not found.onnx.is_image and not found.control.is_image
    assert found.onnx.layers != found.control.layers


def test_an_empty_layer_warns_and_says_what_to_do(build):
    found = warnings(packaged())
    assert len(found) == len({"control", "onnx"})
    assert all("`make package`" in warning for warning in found)


def test_an_empty_layer_still_warns_at_the_second_synthesis(build):
    packaged()
    assert warnings(packaged())


def test_a_built_layer_does_not_warn(build):
    for layer in ("control", "onnx"):
        (build / "layers" / layer / "python").mkdir(parents=True)
        (build / "layers" / layer / "python" / "library.py").touch()
    assert not warnings(packaged())


def test_the_layers_fit_the_functions(dev):
    for layer in dev.stateless.of_type("AWS::Lambda::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == [RUNTIME.name]
        assert layer["CompatibleArchitectures"] == ["arm64"]
