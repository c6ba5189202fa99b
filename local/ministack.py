"""Runs MiniStack with fixes for its differences from AWS: `python -m local.ministack --port 4566 --state .triage`."""

import argparse
import logging
import os
import sys
from pathlib import Path

from local import alarm_fixes, checkpoint, gate, iam_fixes, lambda_fixes
from local.acknowledged import Acknowledged, Keeper
from local.keys import Keys
from local.processes import clean_environment
from local.state import LOOPBACK, State


def environment(state: State, port: int, keys: Keys) -> dict[str, str]:
    return clean_environment(state) | {
        # MiniStack's root user. Functions get credentials of their own instead.
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
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
        # Otherwise it would remove the containers of every other MiniStack on this machine.
        "DOCKER_HOST": f"unix://{state.folder}/no-docker",
        "LAMBDA_WARM_TTL_SECONDS": "30",
        "LOG_LEVEL": "WARNING",
        # Workers inherit the level of MiniStack; functions must log as in Lambda.
        "POWERTOOLS_LOG_LEVEL": "INFO",
        # Otherwise a handler on a machine in the cloud would get the role of this machine.
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def saved(state: State) -> Path:
    return state.aws / "state"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=lambda_fixes.default_workers(), help="processes per function")
    parser.add_argument("--patience", type=float, default=20, help="seconds to wait for a process before a throttle")
    parser.add_argument("--checkpoint", type=float, default=60, help="seconds between checkpoints")
    parser.add_argument("--serve", action="append", default=[], metavar="HANDLER=URL", help="run a handler elsewhere")
    arguments = parser.parse_args()

    # Complaints are in what it writes.
    os.umask(0o077)
    state = State(arguments.state).create()
    keys = Keys.create(state)
    # MiniStack reads its environment when it is imported, and passes it to every handler.
    variables = environment(state, arguments.port, keys)
    os.environ.clear()
    os.environ.update(variables)
    logging.getLogger("local").setLevel(logging.INFO)
    checkpoint.prepare(saved(state))
    # Imported here, because it reads its environment.
    from ministack import app

    lambda_fixes.apply(
        workers_per_function=arguments.workers,
        patience=arguments.patience,
        served=dict(pair.split("=", 1) for pair in arguments.serve),
        token=keys.models,
    )
    iam_fixes.apply()
    alarm_fixes.apply()
    acknowledged = Acknowledged(state.acknowledged)
    acknowledged.open()
    checkpoint.Checkpoints(saved(state), acknowledged, interval=arguments.checkpoint).install()
    app.app = Keeper(app.app, acknowledged)
    gate.install(keys, port=arguments.port)

    sys.argv[1:] = []
    app.main()


if __name__ == "__main__":
    main()
