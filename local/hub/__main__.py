"""Serve a Hub on loopback: `python -m local.hub --root DIR --port N`."""

from argparse import ArgumentParser
from pathlib import Path

import uvicorn

from local.hub.api import application
from local.hub.store import Store

GRACE = 5
"""The seconds that running requests have to end after SIGTERM."""


def main() -> None:
    parser = ArgumentParser(prog="python -m local.hub", description="Serve a HuggingFace Hub on loopback.")
    parser.add_argument("--root", type=Path, required=True, help="folder that keeps repositories and files")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        application(Store(arguments.root)),
        # Loopback only, because there is no authentication.
        host="127.0.0.1",
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        ws="none",
    )


if __name__ == "__main__":
    main()
