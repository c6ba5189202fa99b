"""Deploy the last good version of an environment again: `last_good.py ENVIRONMENT`, in a job of GitHub Actions.

GitHub keeps a deployment for every job that names an environment, and whether it succeeded: deployed, and its smoke
test passed. So nothing has to be written down, and no job needs the right to write.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHECKOUT = ROOT / "build" / "last-good"


class NoGoodVersionError(Exception):
    """No other version was ever deployed to the environment with success."""


def deployments(repository: str, environment: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the commit and the states of each deployment, the newest first."""
    for found in _github(f"repos/{repository}/deployments?environment={environment}&per_page=100"):
        statuses = _github(f"repos/{repository}/deployments/{found['id']}/statuses?per_page=100")
        yield found["sha"], {status["state"] for status in statuses}


def last_good(repository: str, environment: str, *, failed: str) -> str:
    """Return the newest commit that was deployed with success. failed: the commit that is deployed now.

    GitHub marks a success as inactive when another one follows, and keeps both states. Raises: NoGoodVersionError.
    """
    for commit, states in deployments(repository, environment):
        if commit != failed and "success" in states:
            return commit
    raise NoGoodVersionError(
        f"no version but {failed[:12]} was deployed to {environment} with success: there is none to return to. "
        "Mend the fault on main, or remove the stacks"
    )


def deploy(commit: str, environment: str) -> None:
    """Deploy a commit as its own Makefile does, from a checkout beside this one.

    The stateless stack goes back first: CloudFormation removes no export of the other one while it is imported.
    """
    subprocess.run(["git", "worktree", "add", "--force", "--detach", str(CHECKOUT), commit], cwd=ROOT, check=True)
    # The variables of this make would reach the other one.
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    for stacks in (f"--exclusively Complaints-{environment}/Stateless", "--all"):
        command = ["make", "deploy", f"ENVIRONMENT={environment}", f"STACKS={stacks}"]
        subprocess.run(command, cwd=CHECKOUT, env=variables, check=True)


def _github(path: str) -> Any:
    """Return what GitHub answers, by its command, which every runner has."""
    return json.loads(subprocess.run(["gh", "api", path], capture_output=True, text=True, check=True).stdout)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    (environment,) = arguments
    try:
        commit = last_good(os.environ["GITHUB_REPOSITORY"], environment, failed=os.environ["GITHUB_SHA"])
        print(f"{environment} returns to {commit}", flush=True)
        deploy(commit, environment)
    except NoGoodVersionError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        said = f": {error.stderr.strip()}" if error.stderr else ""
        print(f"{error.cmd[0]} failed with {error.returncode}{said}. {environment} needs a person now", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
