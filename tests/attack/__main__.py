"""Replay attacks that once succeeded against a deployed environment, and print what held.

python -m tests.attack [--only WORD] [--state build/attack]

The environment is an embedded AWS of its own, which is removed afterwards. The attacks write forged records and break
models, so none is meant for a deployment on AWS, and no option names one.
"""

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cli.aws.deployment import find
from cli.commands.demo import RECIPE
from cli.commands.demo_models import register_models, trained_models
from cli.output import err
from cli.progress import progress_bar
from local import up as embedded
from local.state import ROOT
from tests.attack import bundles, doors, files, letters, people, records
from tests.attack.attacks import Attack, Target, carry_out, report
from tests.system.machine import Machine
from training.recipe import load_recipe

MODELS = ROOT / "build" / "attack-models"
ATTACKS: tuple[Attack, ...] = (
    *doors.ATTACKS,
    *records.ATTACKS,
    *bundles.ATTACKS,
    *letters.ATTACKS,
    *people.ATTACKS,
    *files.ATTACKS,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", default="", help="run the attacks whose names contain this")
    parser.add_argument(
        "--state", type=Path, default=ROOT / "build" / "attack", help="state folder, removed at the end"
    )
    asked = parser.parse_args()
    chosen = [attack for attack in ATTACKS if asked.only in attack.name]
    embedded.down(asked.state, wipe=True, on_progress=_say)
    shutil.rmtree(asked.state, ignore_errors=True)
    try:
        instance = embedded.up(asked.state, on_progress=_say)
        models = trained_models(load_recipe(RECIPE), MODELS)
        register_models(models, instance, find("local", state=asked.state).registry)
        with TemporaryDirectory() as folder, progress_bar() as bar:
            outcomes = carry_out(chosen, Target(Machine(asked.state), Path(folder)), bar)
    finally:
        embedded.down(asked.state, wipe=True, on_progress=_say)
    return report(outcomes)


def _say(line: str) -> None:
    err.print(line, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
