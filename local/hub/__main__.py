"""Serve a Hub on loopback: `python -m local.hub --root DIR --port N --keys FILE`."""

import os
from argparse import ArgumentParser
from pathlib import Path

import uvicorn

from local.hub.api import application
from local.hub.guard import Guard
from local.hub.store import Store
from local.keys import Keys

GRACE = 5
"""The seconds that running requests have to end after SIGTERM."""


def main() -> None:
    parser = ArgumentParser(prog="python -m local.hub", description="Serve a HuggingFace Hub on loopback.")
    parser.add_argument("--root", type=Path, required=True, help="folder that keeps repositories and files")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="file with the keys of the state folder")
    arguments = parser.parse_args()
    os.umask(0o077)
    keys = Keys.model_validate_json(arguments.keys.read_text())
    uvicorn.run(
        Guard(application(Store(arguments.root)), keys.hub, port=arguments.port),
        # Loopback only, because there is no encryption.
        host="127.0.0.1",
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE,
        ws="none",
    )


if __name__ == "__main__":
    main()
