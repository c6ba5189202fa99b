"""Reads complaints from a dataset on the Hub at a fixed commit.

hf://organisation/name@40-digit-sha                 its default config, all splits
hf://organisation/name@40-digit-sha:config
hf://organisation/name@40-digit-sha:config/split
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pyarrow
import pyarrow.parquet
from huggingface_hub import DatasetCard, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from training.bundle.hub import CARD_FILE

_ADDRESS = re.compile(
    r"hf://(?:datasets/)?(?P<dataset>[\w.\-]+/[\w.\-]+)(?:@(?P<revision>[^:]*))?"
    r"(?::(?P<config>[\w.\-]+)(?:/(?P<split>[\w.\-]+))?)?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ANY_PARQUET = "*.parquet"

SPLIT_COLUMN = "split"

Splits = Mapping[str, Sequence[str]]
"""Patterns of the names of each split's files in the repository."""


class SourceError(Exception):
    """A dataset cannot be read. The message says which one, why, and what to do."""

    def __init__(self, source: str, problem: str, *, advice: str) -> None:
        super().__init__(f"{source}: {problem}. {advice}.")
        self.source = source


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A parsed address. config: None for the dataset's default. split: None for all splits."""

    source: str
    dataset: str
    revision: str
    config: str | None
    split: str | None


def located(source: str, *, endpoint: str | None = None, token: str | None = None) -> Path:
    """Download a dataset and return its local file, for `read_export`. It is downloaded once.

    Several files of a config are merged into one Parquet file with a column `split`. Without `endpoint`, the Hub is the
    one that huggingface_hub is configured for.

    Raises:
        SourceError: the address is malformed or names no commit; the Hub has no such data, or does not answer.
    """
    wanted = parsed(source)
    folder, splits = _files(wanted, endpoint=endpoint, token=token)
    paths = {split: _matching(folder, patterns) for split, patterns in splits.items()}
    if not any(paths.values()):
        raise SourceError(source, "has none of the files that its card names", advice="Publish its files as Parquet")
    return _single(paths) or _merged(wanted, paths)


def parsed(source: str) -> HubSource:
    """Parse an address. Raises: SourceError."""
    address = _ADDRESS.fullmatch(source)
    if address is None:
        raise SourceError(source, "is not an address", advice="Write hf://organisation/name@sha, optionally :config")
    revision = address["revision"] or ""
    if not _COMMIT.fullmatch(revision):
        problem = f"{revision!r} is not the 40-digit sha of a commit" if revision else "names no commit"
        raise SourceError(source, problem, advice="Write the sha of a commit after @; branches and tags can move")
    return HubSource(
        source=source,
        dataset=address["dataset"],
        revision=revision,
        config=address["config"],
        split=address["split"],
    )


def _files(wanted: HubSource, *, endpoint: str | None, token: str | None) -> tuple[Path, Splits]:
    """Download the files of the requested splits and return their folder."""

    def fetch(patterns: Sequence[str]) -> Path:
        with _answering(wanted):
            folder = snapshot_download(
                wanted.dataset,
                repo_type="dataset",
                revision=wanted.revision,
                allow_patterns=list(patterns),
                endpoint=endpoint,
                token=token,
            )
        return Path(folder)

    card = fetch([CARD_FILE]) / CARD_FILE
    splits = _splits(wanted, DatasetCard.load(card).data.to_dict() if card.exists() else {})
    return fetch([pattern for patterns in splits.values() for pattern in patterns]), splits


@contextmanager
def _answering(wanted: HubSource) -> Iterator[None]:
    try:
        yield
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        problem = "the Hub has no such dataset or commit, or the token may not see it"
        raise SourceError(wanted.source, problem, advice="Check name, sha and HF_TOKEN") from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        problem = f"the Hub did not answer: {type(error).__name__}"
        raise SourceError(wanted.source, problem, advice="Try again, or check HF_ENDPOINT") from error


def _splits(wanted: HubSource, card: Mapping[str, Any]) -> Splits:
    configs = {str(config["config_name"]): config for config in card.get("configs") or ({"config_name": "default"},)}
    name = wanted.config or _default(configs)
    if name is None or name not in configs:
        raise SourceError(
            wanted.source, f"has the configs {', '.join(configs)}", advice="Add one of them after a colon"
        )
    splits = _patterns(configs[name].get("data_files") or _ANY_PARQUET)
    if wanted.split is None:
        return splits
    if wanted.split not in splits:
        raise SourceError(
            wanted.source,
            f"has the splits {', '.join(splits)}",
            advice="Add one of them after a slash",
        )
    return {wanted.split: splits[wanted.split]}


def _default(configs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Choose as `load_dataset` does: the config marked as default, the only one, or the one named `default`."""
    marked = [name for name, config in configs.items() if config.get("default")]
    only = list(configs) if len(configs) == 1 else []
    return next(iter([*marked, *only, *(name for name in configs if name == "default")]), None)


def _patterns(data_files: Any) -> Splits:
    """Read `data_files` of a card: one or more patterns, or a list of splits with one or more patterns each."""
    files = data_files if isinstance(data_files, list) else [data_files]
    splits: dict[str, list[str]] = {}
    for file in files:
        split, path = (str(file["split"]), file["path"]) if isinstance(file, dict) else ("train", file)
        splits.setdefault(split, []).extend(path if isinstance(path, list) else [path])
    return splits


def _matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return [names[name] for name in sorted(names) if any(fnmatch(name, pattern) for pattern in patterns)]


def _single(paths: Mapping[str, Sequence[Path]]) -> Path | None:
    files = [path for found in paths.values() for path in found]
    return files[0] if len(files) == 1 else None


def _merged(wanted: HubSource, paths: Mapping[str, Sequence[Path]]) -> Path:
    """Merge the files once and keep the result, because the content of a commit does not change."""
    name = "-".join(filter(None, (wanted.config or "default", wanted.split)))
    target = Path(constants.HF_HOME, "complaints-triage", wanted.dataset, wanted.revision, f"{name}.parquet")
    if not target.exists():
        try:
            merge(paths, target)
        except (pyarrow.ArrowException, KeyError) as error:
            problem = f"its files have different columns ({type(error).__name__})"
            raise SourceError(wanted.source, problem, advice="Add a single split after a slash") from error
    return target


def merge(splits: Mapping[str, Sequence[Path]], target: Path) -> None:
    """Write the rows of all files to `target`, with the columns of the first file and a column for the split.

    `target` appears only when it is complete.

    Raises:
        pyarrow.ArrowException: a file is not Parquet, or a column has another type than in the first.
        KeyError: a file lacks a column of the first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as temporary:
        draft = Path(temporary, target.name)
        _concatenate(splits, draft)
        draft.replace(target)


def _concatenate(splits: Mapping[str, Sequence[Path]], target: Path) -> None:
    """Copy batch by batch, because a dataset may be larger than memory."""
    first = pyarrow.parquet.read_schema(next(path for paths in splits.values() for path in paths))
    kept = [name for name in first.names if name != SPLIT_COLUMN]
    schema = pyarrow.schema([*(first.field(name) for name in kept), (SPLIT_COLUMN, pyarrow.string())])
    with pyarrow.parquet.ParquetWriter(target, schema) as writer:
        for split, paths in splits.items():
            for path in paths:
                for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
                    column = pyarrow.array([split] * batch.num_rows, pyarrow.string())
                    columns = [*batch.select(kept).columns, column]
                    writer.write_batch(pyarrow.record_batch(columns, schema=schema))
