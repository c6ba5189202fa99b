from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.aws.deployment import find, hub_endpoint, hub_token
from cli.errors import CommandError, WrongUsageError
from cli.output import err, out, print_json, print_table
from cli.progress import progress_bar
from cli.source import readable
from triage.redaction import REDACTION_VERSION, redact_text

if TYPE_CHECKING:
    from training.data.dataset import LabelledRow
    from training.snapshot import Pruned, Published, Snapshot, Terms

app = typer.Typer(
    no_args_is_help=True, help="Publish labelled complaints as datasets on the Hub, and remove complaints from them."
)

SHOWN = 10
"""Complaints that a message names."""

OLDEST = 100 * 365
"""Largest number of days that `--older-than` accepts, a century."""


@app.command()
def publish(
    file: Annotated[str, typer.Argument(help="An export with CFPB's column names, or hf://organisation/name@sha.")],
    repo: Annotated[str, typer.Argument(help="Dataset repository on the Hub, organisation/name.")],
    test_from: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Test on complaints received from this day on; by default on the latest fifth."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split by random groups.")] = 0,
    licence: Annotated[str, typer.Option(help="Licence of the dataset, as the Hub spells it.")] = "other",
    language: Annotated[str, typer.Option(help="Language of the narratives.")] = "en",
    public: Annotated[bool, typer.Option("--public", help="Make a new dataset readable for everybody.")] = False,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Publish labelled complaints as a Parquet dataset with a card and splits, in one commit."""
    endpoint, token = hub_endpoint(env, state), hub_token(env, state)
    # Imported here, because it takes a second and no other command should wait for it.
    from training.snapshot import PublicationError, Terms, publish_snapshot

    path = readable(file, endpoint=lambda: endpoint, token=lambda: token)
    try:
        terms = Terms(licence=licence, language=language, redaction=REDACTION_VERSION)
        with TemporaryDirectory() as folder:
            snapshot = _written(path, Path(folder), repo, test_from, seed, terms)
            with err.status(f"Publishing {repo}"):
                private = not public
                sha = publish_snapshot(snapshot, dataset_id=repo, endpoint=endpoint, token=token, private=private)
    except PublicationError as error:
        raise CommandError(str(error)) from error
    _report(snapshot, repo, sha, as_json)


@app.command("list")
def list_(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """List the published datasets, which are found by the tag in their cards."""
    endpoint, token = hub_endpoint(env, state), hub_token(env, state)
    from training.snapshot import describe, published

    with refusing_snapshots():
        names = published(endpoint, token=token)
        found = [describe(dataset_id, endpoint=endpoint, token=token) for dataset_id in names]
    if as_json:
        print_json([vars(dataset) for dataset in found])
    elif not found:
        out.print("No dataset was published.")
    else:
        print_table("Datasets", ("dataset", "revision", "rows of each config"), map(_listed, found))


def _listed(dataset: "Published") -> tuple[str, str, str]:
    rows = (f"{config} {sum(splits.values()):,}" for config, splits in dataset.rows.items())
    return dataset.dataset, dataset.revision, ", ".join(rows)


@app.command()
def prune(
    repo: Annotated[str, typer.Argument(help="Dataset repository on the Hub, organisation/name.")],
    complaint: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Id of a complaint to remove; may be repeated.")
    ] = None,
    older_than: Annotated[
        int | None,
        typer.Option(metavar="DAYS", min=0, max=OLDEST, help="Remove complaints received more than DAYS ago."),
    ] = None,
    env: options.Environment = "local",
    as_json: options.AsJson = False,
    state: options.State = options.DEFAULT,
) -> None:
    """Remove complaints from a published dataset and delete all of its earlier revisions. Held complaints stay."""
    if not complaint and older_than is None:
        raise WrongUsageError("Say what to remove: --complaint ID, --older-than DAYS, or both")
    due = _due(frozenset(complaint or ()), older_than)
    held = _held(env, state)
    with refusing_snapshots(), err.status(f"Pruning {repo}"):
        pruned, kept = _prune(repo, due, held, endpoint=hub_endpoint(env, state), token=hub_token(env, state))
    if as_json:
        print_json({**vars(pruned), "held": kept})
    else:
        out.print(_summary(pruned))
    _tell_held(repo, kept)


@app.command()
def expire(
    env: options.Environment = "local", as_json: options.AsJson = False, state: options.State = options.DEFAULT
) -> None:
    """Remove all complaints that are older than the environment keeps any from all published datasets."""
    endpoint, token = hub_endpoint(env, state), hub_token(env, state)
    days = int(find(env, state=state).name("retention-days"))
    from training.snapshot import NotASnapshotError, PublicationError, published

    with refusing_snapshots():
        names = published(endpoint, token=token)
    due, held = _due(frozenset(), days), _held(env, state)
    done: list[dict[str, object]] = []
    failed: list[str] = []
    with progress_bar() as bar:
        expiring = bar.add_task("Pruning", total=len(names))
        for repo in names:
            try:
                pruned, kept = _prune(repo, due, held, endpoint=endpoint, token=token)
            except (NotASnapshotError, PublicationError) as error:
                failed.append(f"{repo}: {error}")
            else:
                done.append({**vars(pruned), "held": kept})
                _tell_held(repo, kept)
            bar.advance(expiring)
    if as_json:
        print_json(done)
    elif done:
        columns = ("dataset", "rows", "erased", "revision")
        rows = ([str(one[name]) for name in columns] for one in done)
        print_table(
            f"Complaints older than {days} days", ("dataset", "complaints removed", "files deleted", "revision"), rows
        )
    elif not failed:
        out.print("No dataset was published.")
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(names)} datasets could not be pruned; run it again.\n" + "\n".join(failed)
        )


def _prune(
    repo: str, due: "Callable[[LabelledRow], bool]", held: frozenset[str], *, endpoint: str | None, token: str | None
) -> "tuple[Pruned, list[str]]":
    """Prune a dataset, and return what was done and the ids of what was due and is held."""
    # Imported here, because it takes a second and no other command should wait for it.
    from training.snapshot import prune

    kept = set[str]()

    def drop(row: "LabelledRow") -> bool:
        if due(row) and row.complaint_id in held:
            kept.add(row.complaint_id)
        return due(row) and row.complaint_id not in held

    return prune(repo, drop=drop, endpoint=endpoint, token=token), sorted(kept)


def _tell_held(repo: str, kept: list[str]) -> None:
    if kept:
        shown = ", ".join(kept[:SHOWN]) + (", …" if len(kept) > SHOWN else "")
        err.print(
            f"{len(kept)} complaints stay in {repo}, because a legal hold keeps them: {shown}; lift the hold, then "
            "prune again",
            soft_wrap=True,
        )


def _held(env: options.Environment, state: Path) -> frozenset[str]:
    """Return the ids of the complaints that a legal hold keeps."""
    found = find(env, state=state).story.query("yes", index="by_hold")
    return frozenset(str(item["complaint_id"]) for item in found)


def _due(complaints: frozenset[str], older_than: int | None) -> "Callable[[LabelledRow], bool]":
    today = datetime.now(UTC).date()
    first_kept = today - timedelta(days=older_than) if older_than is not None else None
    return lambda row: row.complaint_id in complaints or (first_kept is not None and row.received < first_kept)


def _summary(pruned: "Pruned") -> str:
    if not (pruned.rows or pruned.erased):
        return f"Nothing to remove: neither {pruned.dataset} nor its earlier revisions contain such a complaint."
    removed = (
        f"Complaints removed: {pruned.rows}" if pruned.rows else "Only earlier revisions contained such complaints"
    )
    return (
        f"{removed}; {pruned.erased} files of earlier revisions were deleted.\nhf://{pruned.dataset}@{pruned.revision}"
    )


@contextmanager
def refusing_snapshots() -> Iterator[None]:
    """Turn errors about snapshots into CommandError."""
    from training.snapshot import NotASnapshotError, PublicationError

    try:
        yield
    except (NotASnapshotError, PublicationError) as error:
        raise CommandError(str(error)) from error


def _written(path: Path, folder: Path, repo: str, test_from: datetime | None, seed: int, terms: "Terms") -> "Snapshot":
    """Write the snapshot of an export. Raises: ExportError, WrongUsageError."""
    from training.data.dataset import load_labelled
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
