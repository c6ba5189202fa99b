"""MiniStack with its differences from AWS put right: `python -m local.ministack --port 4566 --state .triage`."""

import argparse
import logging
import os
import sys
from pathlib import Path

from local import checkpoint, condition_keys, embedded_metrics, refusals, restored, worker_fixes
from local.processes import clean_environment
from local.state import LOOPBACK, State


def environment(state: State, port: int) -> dict[str, str]:
    return clean_environment(state) | {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(saved(state)),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state.aws / "s3"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # It would clean up after every other MiniStack that the machine's Docker knows.
        "DOCKER_HOST": f"unix://{state.folder}/no-docker",
        "LAMBDA_WARM_TTL_SECONDS": "30",
        "LOG_LEVEL": "WARNING",
        # Workers inherit MiniStack's own level; functions log as they do in Lambda.
        "POWERTOOLS_LOG_LEVEL": "INFO",
        # A machine in the cloud would otherwise lend its own role to a handler.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def saved(state: State) -> Path:
    return state.aws / "state"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=worker_fixes.default_workers(), help="processes per function")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for one before a throttle")
    parser.add_argument("--checkpoint", type=float, default=60, help="seconds between checkpoints")
    parser.add_argument("--serve", action="append", default=[], metavar="HANDLER=URL", help="run a handler elsewhere")
    arguments = parser.parse_args()

    state = State(arguments.state).create()
    # MiniStack reads its environment when it is imported, and hands it to every handler.
    os.environ.clear()
    os.environ.update(environment(state, arguments.port))
    logging.getLogger("local").setLevel(logging.INFO)
    restored.prepare(saved(state))
    worker_fixes.apply(
        workers_per_function=arguments.workers,
        patience=arguments.patience,
        served=dict(pair.split("=", 1) for pair in arguments.serve),
    )
    condition_keys.apply()
    refusals.apply()
    embedded_metrics.apply()
    checkpoint.Checkpoints(saved(state), interval=arguments.checkpoint).install()

    from ministack.app import main as serve

    sys.argv[1:] = []
    serve()


if __name__ == "__main__":
    main()
