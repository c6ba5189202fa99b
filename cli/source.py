"""Where a command reads complaints from: a file, or a dataset of the Hub, pinned by its commit; and where it writes."""

from collections.abc import Callable
from pathlib import Path

from cli.errors import CommandError, WrongUsageError

SCHEME = "hf://"


def readable(source: str, *, endpoint: Callable[[], str | None] = lambda: None) -> Path:
    """The file to read; a dataset is fetched once.

    endpoint: the Hub's, asked for only where it is needed; None is the one that huggingface_hub is set to.

    Raises: WrongUsageError where there is no such file, CommandError on what is wrong with a dataset.
    """
    if not source.startswith(SCHEME):
        path = Path(source)
        if not path.is_file():
            raise WrongUsageError(
                f"{path} {'is no file' if path.exists() else 'does not exist'}: give an export to read"
            )
        return path
    # Only now: what speaks to the Hub takes a second to import, and files need none of it.
    from training.data.sources import SourceError, located

    try:
        return located(source, endpoint=endpoint())
    except SourceError as error:
        raise CommandError(str(error)) from error


def made(folder: Path) -> Path:
    """Make it before the work whose results go into it. Raises: WrongUsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsageError(f"{folder} cannot be made ({error.strerror}): give another folder") from error
    return folder
