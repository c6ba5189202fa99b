from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import typer

from cli import options
from cli.aws.deployment import Deployment, find, hub_endpoint, hub_token
from cli.aws.functions import invoke, read_request
from cli.commands.dataset import refusing_snapshots
from cli.errors import CommandError
from cli.output import err, out, print_json, print_table
from triage.audit.erasure import Erased, ErasureRequest
from triage.story import ErasureEntry


def erase(
    complaint_id: Annotated[str, typer.Argument(help="The complaint whose text is erased.")],
    reason: Annotated[str, typer.Option(help="Reason. It is recorded.")],
    snapshots: Annotated[
        bool, typer.Option(help="Erase from published datasets too. Needs a token of the Hub.")
    ] = True,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Erase a complaint's text and everything derived from it. The decisions stay on record, and still verify."""
    deployment = find(env, state=state)
    request = read_request(ErasureRequest, complaint_id=complaint_id, requester=deployment.operator, reason=reason)
    # The tables come first: they refuse a complaint under a legal hold before anything is removed.
    erasures = [_erased(deployment, request)]

    def record(dataset: str, rows: int) -> None:
        """Record what is removed from a dataset before it is: an interruption must not lose the record."""
        erasures.append(_erased(deployment, request.model_copy(update={"snapshots": {dataset: rows}})))

    if snapshots:
        _prune(complaint_id, hub_endpoint(env, state), hub_token(env, state), record)
    made = [erasure for erasure in erasures if erasure is not None]
    if as_json:
        print_json({"complaint_id": complaint_id, "erasures": made})
    elif made:
        print_table(f"Erased of {complaint_id}", ("store", "what", "removed"), _report(made))
    else:
        out.print(f"nothing of {complaint_id} is left to erase")


def _erased(deployment: Deployment, request: ErasureRequest) -> ErasureEntry | None:
    session = deployment.acting_as("privacy-officer-role")
    return invoke(session, deployment.name("erase-function"), request, gives=Erased).erasure


def _prune(complaint_id: str, endpoint: str | None, token: str | None, record: Callable[[str, int], None]) -> None:
    """Remove the complaint from every published dataset.

    record: called before each removal with the dataset and how many rows go, 0 if only earlier commits held some.
    """
    # Imported here, because the import takes a second.
    from training.snapshot import prune, published

    try:
        with refusing_snapshots(), err.status("Erasing from datasets"):
            for dataset in published(endpoint, token=token):
                prune(
                    dataset,
                    drop=lambda row: row.complaint_id == complaint_id,
                    endpoint=endpoint,
                    token=token,
                    before_removal=partial(record, dataset),
                )
    except CommandError as error:
        raise CommandError(
            f"{complaint_id} is erased from the tables and not from every dataset: {error}; run the same command again"
        ) from error


def _report(made: list[ErasureEntry]) -> Iterator[tuple[str, str, int]]:
    for erasure in made:
        for store, what, removed in (
            ("raw_complaints", "the complaint, with its narrative", int(erasure.text)),
            ("complaints_allocation", "explanations", len(erasure.entries)),
            ("complaints_allocation", "feedback that was not applied", len(erasure.refused_feedback)),
        ):
            if removed:
                yield store, what, removed
        for name, rows in erasure.snapshots.items():
            yield f"hf://datasets/{name}", "rows, and earlier commits with them", rows
