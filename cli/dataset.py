"""`triage dataset`"""

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.deployment import running_instance
from cli.errors import CommandError, WrongUsageError
from cli.output import err, out, print_json, print_table, progress_bar
from triage.redaction import REDACTION_VERSION, redact_text

if TYPE_CHECKING:
    from training.snapshot import Snapshot, Terms

app = typer.Typer(no_args_is_help=True, help="Freeze labelled complaints on the Hub.")


@app.command()
def publish(
    file: Annotated[str, typer.Argument(help="An export with CFPB's column names, or hf://organisation/name@sha.")],
    repo: Annotated[str, typer.Argument(help="Dataset repository on the Hub, organisation/name.")],
    test_from: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Test on what was received from this day on; else the latest fifth."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split by random groups.")] = 0,
    licence: Annotated[str, typer.Option(help="Of the dataset, as the Hub spells it.")] = "other",
    language: Annotated[str, typer.Option(help="Of the narratives.")] = "en",
    public: Annotated[bool, typer.Option("--public", help="Let everybody read it, where it is made anew.")] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Publish labelled complaints as a Parquet dataset with card, configs and splits, as one commit."""
    endpoint = running_instance(state).hub_endpoint if env == "local" else None
    # Only now: what splits and uploads takes a second to import, and no other command should wait for it.
    from training.snapshot import PublicationError, Terms, publish_snapshot
    from training.sources import SourceError, located

    try:
        path = located(file, endpoint=endpoint)
        terms = Terms(licence=licence, language=language, redaction=REDACTION_VERSION)
        with TemporaryDirectory() as folder:
            snapshot = _written(path, Path(folder), repo, test_from, seed, terms)
            with err.status(f"Publishing {repo}"):
                sha = publish_snapshot(snapshot, dataset_id=repo, endpoint=endpoint, private=not public)
    except (SourceError, PublicationError) as error:
        raise CommandError(str(error)) from error
    _report(snapshot, repo, sha, as_json)


def _written(path: Path, folder: Path, repo: str, test_from: datetime | None, seed: int, terms: "Terms") -> "Snapshot":
    """Raises: ExportError, WrongUsageError."""
    from training.dataset import load_labelled
    from training.snapshot import splits_of, stated_tags, write_snapshot

    with err.status(f"Reading {path.name}"):
        data = load_labelled(path)
        tags = stated_tags(path)
    try:
        splits = splits_of(data, test_from=test_from.date() if test_from else None, seed=seed)
    except ValueError as error:
        raise WrongUsageError(f"{path} cannot be split: {error}") from error
    with progress_bar() as bar:
        redacting = bar.add_task("Redacting", total=len(data.rows))
        return write_snapshot(
            data,
            folder,
            name=repo,
            splits=splits,
            tags=tags,
            redact=redact_text,
            terms=terms,
            on_row=lambda: bar.advance(redacting),
        )


def _report(snapshot: "Snapshot", repo: str, sha: str, as_json: bool) -> None:
    rows = {config: {split: part.rows for split, part in parts.items()} for config, parts in snapshot.configs.items()}
    if as_json:
        print_json(
            {
                "dataset": repo,
                "revision": sha,
                "source": f"hf://{repo}@{sha}",
                "rows": rows,
                "fingerprints": dict(snapshot.fingerprints),
                "source_fingerprint": snapshot.source_fingerprint,
            }
        )
        return
    print_table(
        repo,
        ("config", *next(iter(rows.values())), "sha256 of the data"),
        ((config, *counts.values(), snapshot.fingerprints[config]) for config, counts in rows.items()),
    )
    out.print(f"hf://{repo}@{sha}")
