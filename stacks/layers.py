"""Builds the Lambda layers, by `make package`. It needs the package index, and no Docker.

Equal lock files give equal bytes on every machine, so that a deployment changes no layer without a reason. CDK's hash
of an asset covers names and contents, not times.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from stacks.packages import BUILD, ROOT, digest, stage_sources

LAMBDA_LIMIT_MEGABYTES = 250
"""Of a function's code and layers together, unzipped."""

PYTHON_VERSION = "3.14"
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")
LAYERS = {
    "control": ROOT / "runtime" / "requirements.lock",
    "onnx": ROOT / "runtime" / "requirements-onnx.lock",
}


def install(lock: Path, target: Path) -> None:
    """Install the locked wheels for Lambda's architecture, each checked against its hash."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-compile"]
    command += [f"--platform={platform}" for platform in PLATFORMS]
    # The lock file is complete. pip would evaluate markers for this machine, not for Lambda's.
    command += [f"--python-version={PYTHON_VERSION}", "--require-hashes", "--no-deps", "--target", str(target)]
    subprocess.run([*command, "--requirement", str(lock)], check=True)
    # Commands begin with the path of this machine's Python, and the records of files hold their hashes.
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()


def build(name: str, lock: Path) -> Path:
    """Build one layer anew, and return its folder."""
    folder = BUILD / "layers" / name
    shutil.rmtree(folder, ignore_errors=True)
    install(lock, folder / "python")
    return folder


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    code = megabytes(stage_sources(BUILD / "sources"))
    print(f"{'layer':<10}{'MB':>6}{'with the code':>16}{'of at most':>13}  sha256")
    for name, lock in LAYERS.items():
        folder = build(name, lock)
        size = megabytes(folder)
        print(f"{name:<10}{size:>6.0f}{size + code:>16.0f}{LAMBDA_LIMIT_MEGABYTES:>13}  {digest(folder)[:16]}")
        if size + code > LAMBDA_LIMIT_MEGABYTES:
            sys.exit(
                f"the layer {name} has {size + code:.0f} MB with the code, and Lambda takes "
                f"{LAMBDA_LIMIT_MEGABYTES} MB unzipped: remove a library from {lock.with_suffix('.txt').name}"
            )


if __name__ == "__main__":
    main()
