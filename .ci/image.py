"""Build the image of the functions that run transformers, as a deployment does, and hold its size. It needs Docker."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stacks.packages import BUILD, stage_image, stage_sources

IMAGE = "complaints-triage-transformers"
LIMIT_GIGABYTES = 10.0
"""Lambda's limit of an uncompressed image, with all its layers."""


def build() -> None:
    """Build from the context that a synthesis stages for the same image."""
    context = stage_image(stage_sources(BUILD / "sources"))
    subprocess.run(["docker", "build", "--platform=linux/arm64", "--tag", IMAGE, str(context)], check=True)


def gigabytes() -> float:
    command = ["docker", "image", "inspect", "--format={{.Size}}", IMAGE]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e9


def main() -> int:
    build()
    size = gigabytes()
    print(f"{IMAGE}: {size:.1f} GB uncompressed, {LIMIT_GIGABYTES:g} GB allowed")
    if size > LIMIT_GIGABYTES:
        print("remove a library from runtime/requirements-image.txt", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
