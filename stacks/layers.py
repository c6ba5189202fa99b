"""Builds the Lambda layers, by `make package`. It needs the package index, and no Docker."""

import shutil
import subprocess
import sys
from pathlib import Path

LAMBDA_LIMIT_MEGABYTES = 250
PYTHON_VERSION = "3.14"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")
ROOT = Path(__file__).parents[1]
LAYERS = {"control": ROOT / "runtime" / "requirements.txt", "onnx": ROOT / "runtime" / "requirements-onnx.txt"}


def build(name: str, requirements: Path) -> float:
    """Install the pinned wheels for Lambda's architecture. Return the unzipped megabytes of the layer."""
    folder = ROOT / "build" / "layers" / name
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-compile"]
    command += [f"--platform={platform}" for platform in PLATFORMS]
    command += [f"--python-version={PYTHON_VERSION}", "--target", str(folder / "python")]
    subprocess.run([*command, "--requirement", str(requirements)], check=True)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    for name, requirements in LAYERS.items():
        size = build(name, requirements)
        print(f"{name}: {size:.0f} MB unzipped")
        if size > LAMBDA_LIMIT_MEGABYTES:
            sys.exit(
                f"the layer {name} has {size:.0f} MB, and Lambda takes {LAMBDA_LIMIT_MEGABYTES} MB unzipped: "
                f"remove a library from {requirements}"
            )


if __name__ == "__main__":
    main()
