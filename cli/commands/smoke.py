from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.smoke import Smoke
from cli.errors import CommandError
from cli.output import err, print_json, print_table


def smoke(
    timeout: Annotated[float, typer.Option(min=1, help="Longest time of each step, in seconds.")] = 300.0,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Check a whole deployment with synthetic complaints, and erase them again. Fails where a step fails."""
    deployment = find(env, state=state)
    # Without a deployment the command ends here, and no step is tried.
    deployment.name("state-machine")
    with err.status("Starting") as shown:
        smoke = Smoke(deployment, timeout, on_begin=lambda name: shown.update(f"Checking: {name}"))
        steps = smoke.run()
    if as_json:
        print_json({"passed": smoke.passed, "steps": [vars(step) for step in steps]})
    else:
        print_table(
            f"Smoke test of {env}",
            ("step", "result", "seconds", "what was seen, or what to do"),
            ((step.name, "ok" if step.ok else "FAILED", f"{step.seconds:.1f}", step.detail) for step in steps),
        )
    if not smoke.passed:
        failed = ", ".join(step.name for step in steps if not step.ok)
        raise CommandError(f"the smoke test of {env} failed: {failed}. Do not rely on this deployment")
