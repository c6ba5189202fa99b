"""`triage undelivered`: events that AWS gave up on after its retries."""

import typer

from cli import options
from cli.aws.deployment import find
from cli.aws.undelivered import deliver, dismiss, read
from cli.errors import CommandError
from cli.output import err, out, print_json, print_table

app = typer.Typer(no_args_is_help=True, help="Events that AWS could not deliver to a function or state machine.")


@app.command("list")
def list_(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """List what was not delivered: which function should have got it, when and why not."""
    events, _ = read(find(env, state=state))
    if as_json:
        print_json([{"function": e.name, "kind": e.kind, "failed_at": e.failed_at, "reason": e.reason} for e in events])
    else:
        rows = ((event.name, event.kind, event.failed_at, event.reason) for event in events)
        print_table("Undelivered", ("function", "kind", "failed at", "reason"), rows)


@app.command()
def replay(env: options.Environment = "local", state: options.State = options.DEFAULT) -> None:
    """Deliver everything again, after the cause of the failure is removed. What fails again stays.

    Functions read the rows of the tables as they are now, and do nothing twice.
    """
    deployment = find(env, state=state)
    events, notices = read(deployment)
    failed = 0
    for event in events:
        if failure := deliver(deployment, event):
            failed += 1
            err.print(f"{event.name} failed again: {failure}", soft_wrap=True)
        else:
            out.print(f"{event.name} has got what it missed at {event.failed_at}", soft_wrap=True)
    dismiss(deployment, notices)
    if failed:
        raise CommandError(
            f"{failed} of {len(events)} failed again and stay; read the logs of these functions, and replay them later"
        )
