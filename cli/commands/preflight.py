import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from cli import options
from cli.aws import preflight as checks
from cli.aws.deployment import REGIONS, find
from cli.aws.preflight import Check
from cli.errors import CommandError, NoDeploymentError
from cli.output import err, out, print_json, print_table
from cli.templates import SynthesisError, Templates, synthesised


def preflight(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """Say what will stop a deployment of an environment, and what to do about it. Changes nothing."""
    found: list[Check] = []
    with TemporaryDirectory() as folder, err.status("Checking") as shown:
        for check in _checks(env, state, Path(folder)):
            shown.update(f"Checked: {check.check}")
            found.append(check)
    wrong = [check for check in found if not check.ok]
    if as_json:
        print_json([vars(check) for check in found])
    else:
        rows = (
            (check.check, "ok" if check.ok else "WILL NOT WORK", check.detail)
            for check in sorted(found, key=lambda check: check.ok)
        )
        print_table(f"Before deploying {env}", ("check", "result", "what was found, or what to do"), rows)
    if wrong:
        raise CommandError(f"{env} cannot be deployed yet: {', '.join(check.check for check in wrong)}")
    if not as_json:
        deploy = "triage up" if env == "local" else f"make deploy ENVIRONMENT={env}"
        out.print(f"Nothing found that would stop `{deploy}`.")


def _checks(environment: str, state: Path, folder: Path) -> Iterator[Check]:
    try:
        templates = synthesised(environment, folder)
    except SynthesisError as error:
        yield Check("templates", False, str(error))
        return
    count = sum(templates.counts.values())
    yield Check("templates", True, f"{len(templates.stacks)} stacks with {count} resources")
    yield checks.region(templates, REGIONS, os.environ)
    yield from checks.of_this_machine(templates)
    if environment == "local":
        yield from _embedded(templates, state)
        return
    session = boto3.Session(region_name=templates.region)
    caller = checks.credentials(session)
    yield caller
    if caller.ok:
        number = session.client("sts").get_caller_identity()["Account"]
        yield from checks.of_the_account(checks.Account(session, templates, number))


def _embedded(templates: Templates, state: Path) -> Iterator[Check]:
    try:
        session = find("local", state=state).session
    except NoDeploymentError:
        yield Check("credentials", True, "none are needed: `triage up` starts the embedded AWS")
        return
    yield checks.credentials(session)
    yield from checks.embedded(session, templates)
