"""Complaints that are read from a dataset on the Hub, pinned by its commit.

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
from typing import Any

import httpx2
import pyarrow
from huggingface_hub import DatasetCard, constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from training.bundle.hub import CARD_FILE
from training.data.merging import merge

_ADDRESS = re.compile(
    r"hf://(?:datasets/)?(?P<dataset>[\w.\-]+/[\w.\-]+)(?:@(?P<revision>[^:]*))?"
    r"(?::(?P<config>[\w.\-]+)(?:/(?P<split>[\w.\-]+))?)?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ANY_PARQUET = "*.parquet"

Splits = Mapping[str, Sequence[str]]
"""The files of each split, as patterns of names in the repository."""


class SourceError(Exception):
    """A source that cannot be read: which one, why, and what to do next."""

    def __init__(self, source: str, problem: str, *, advice: str) -> None:
        super().__init__(f"{source}: {problem}. {advice}.")
        self.source = source


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """config: None is the dataset's default. split: None is all of them."""

    source: str
    dataset: str
    revision: str
    config: str | None
    split: str | None


def located(source: str, *, endpoint: str | None = None, token: str | None = None) -> Path:
    """The local file of a dataset, for `training.data.complaint_files.read_export`; it is fetched once.

    Several files of a config become one Parquet file with a column `split`. Without `endpoint` it is the Hub that
    huggingface_hub itself is set to.

    Raises:
        SourceError: the address is malformed or names no commit; the Hub has no such data, or does not answer.
    """
    wanted = parsed(source)
    folder, splits = _files(wanted, endpoint=endpoint, token=token)
    paths = {split: _matching(folder, patterns) for split, patterns in splits.items()}
    if not any(paths.values()):
        raise SourceError(source, "holds no file that its card names", advice="Publish its files as Parquet")
    return _single(paths) or _merged(wanted, paths)


def parsed(source: str) -> HubSource:
    """Raises: SourceError."""
    address = _ADDRESS.fullmatch(source)
    if address is None:
        raise SourceError(source, "is no address", advice="Write hf://organisation/name@sha, then :config if need be")
    revision = address["revision"] or ""
    if not _COMMIT.fullmatch(revision):
        problem = f"{revision!r} is no commit sha of 40 digits" if revision else "names no commit"
        raise SourceError(source, problem, advice="Name the commit after @: branches and tags move")
    return HubSource(
        source=source,
        dataset=address["dataset"],
        revision=revision,
        config=address["config"],
        split=address["split"],
    )


def _files(wanted: HubSource, *, endpoint: str | None, token: str | None) -> tuple[Path, Splits]:
    """The folder of the commit, with the files of the splits that are wanted."""

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
        raise SourceError(wanted.source, f"has the configs {', '.join(configs)}", advice="Name one of them after :")
    splits = _patterns(configs[name].get("data_files") or _ANY_PARQUET)
    if wanted.split is None:
        return splits
    if wanted.split not in splits:
        raise SourceError(wanted.source, f"has the splits {', '.join(splits)}", advice="Name one of them after /")
    return {wanted.split: splits[wanted.split]}


def _default(configs: Mapping[str, Mapping[str, Any]]) -> str | None:
    """As `load_dataset` chooses: the one that says so, the only one, or the one of that name."""
    marked = [name for name, config in configs.items() if config.get("default")]
    only = list(configs) if len(configs) == 1 else []
    return next(iter([*marked, *only, *(name for name in configs if name == "default")]), None)


def _patterns(data_files: Any) -> Splits:
    """The Hub takes one pattern, a list of them, or a list of splits with a pattern or a list of them each."""
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
    """A commit's content does not change, so what was merged once is kept."""
    name = "-".join(filter(None, (wanted.config or "default", wanted.split)))
    target = Path(constants.HF_HOME, "complaints-triage", wanted.dataset, wanted.revision, f"{name}.parquet")
    if not target.exists():
        try:
            merge(paths, target)
        except (pyarrow.ArrowException, KeyError) as error:
            problem = f"its files do not go together: {type(error).__name__}"
            raise SourceError(wanted.source, problem, advice="Name a single split after /") from error
    return target
