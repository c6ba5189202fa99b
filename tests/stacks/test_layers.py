import re
import subprocess
from pathlib import Path

import pytest

from stacks import layers
from stacks.packages import ARCHITECTURE, RUNTIME


def pinned(requirements) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in requirements.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


@pytest.fixture
def host():
    text = "".join((layers.ROOT / f"requirements{part}.lock").read_text() for part in ("", "-cuda"))
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def test_layers_are_built_for_the_functions_python_and_processor():
    assert f"python{layers.PYTHON_VERSION}" == RUNTIME.name
    assert ARCHITECTURE.name == "arm64"
    assert all(platform.endswith("_aarch64") for platform in layers.PLATFORMS)


def test_layers_are_those_that_the_functions_take(dev):
    taken = {path.removeprefix("Packages/").lower() for path in dev.stateless.of_type("AWS::Lambda::LayerVersion")}
    assert taken == layers.LAYERS.keys()


@pytest.mark.parametrize(
    "requirements", sorted((layers.ROOT / "runtime").glob("requirements*.txt")), ids=lambda path: str(path.stem)
)
def test_functions_run_the_versions_that_the_tests_run(requirements, host):
    wanted = pinned(requirements)
    assert wanted
    assert {name.replace("-", "_").lower(): version for name, version in wanted.items()}.items() <= {
        name.replace("-", "_").lower(): re.sub(r"\+cpu$", "", version) for name, version in host.items()
    }.items()


@pytest.mark.parametrize("name", layers.LAYERS)
def test_a_layer_carries_no_torch(name):
    assert not {"torch", "transformers"} & pinned(layers.LAYERS[name]).keys()


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "ROOT", tmp_path)
    return tmp_path / "build" / "layers"


def installer(megabytes: float):
    """A stand-in for pip: it writes a file of this size, and keeps its calls."""
    calls = []

    def run(command, *, check):
        assert check
        calls.append(command)
        target = Path(command[command.index("--target") + 1])
        target.mkdir(parents=True)
        with (target / "library.so").open("wb") as file:
            file.truncate(round(megabytes * 1e6))

    run.calls = calls  # type: ignore[attr-defined]
    return run


def test_a_layer_holds_wheels_alone_and_nothing_of_an_earlier_build(build, tmp_path, monkeypatch):
    pip = installer(megabytes=3)
    monkeypatch.setattr(subprocess, "run", pip)
    (build / "onnx" / "python").mkdir(parents=True)
    (build / "onnx" / "python" / "EMPTY").touch()
    assert layers.build("onnx", tmp_path / "requirements.txt") == pytest.approx(3)
    assert [path.name for path in (build / "onnx" / "python").iterdir()] == ["library.so"]
    assert "--only-binary=:all:" in pip.calls[0]


def test_a_layer_that_lambda_would_refuse_is_refused(build, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "run", installer(megabytes=layers.LAMBDA_LIMIT_MEGABYTES + 1))
    with pytest.raises(SystemExit, match="control has 251 MB, and Lambda takes 250 MB"):
        layers.main()
    assert "251 MB unzipped" in capsys.readouterr().out
