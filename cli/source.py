"""Where commands read complaints from, a file or a dataset of the Hub at a fixed commit, and where they write to."""

from collections.abc import Callable
from pathlib import Path

from cli.errors import CommandError, WrongUsageError

SCHEME = "hf://"


def readable(
    source: str, *, endpoint: Callable[[], str | None] = lambda: None, token: Callable[[], str | None] = lambda: None
) -> Path:
    """Return the local file of a source; a dataset is downloaded once.

    endpoint: returns the address of the Hub, None for the one that huggingface_hub is configured for. It is called only
        for datasets, as is `token`, which returns what this Hub asks for.

    Raises:
        WrongUsageError: there is no such file.
        CommandError: the dataset cannot be read.
    """
    if not source.startswith(SCHEME):
        path = Path(source)
        if not path.is_file():
            raise WrongUsageError(
                f"{path} {'is not a file' if path.exists() else 'does not exist'}: give an export to read"
            )
        return path
    # Imported here, because the Hub's client takes a second and files do not need it.
    from training.data.sources import SourceError, located

    try:
        return located(source, endpoint=endpoint(), token=token())
    except SourceError as error:
        raise CommandError(str(error)) from error


def made(folder: Path) -> Path:
    """Make a folder for results before the work begins, and return it. Raises: WrongUsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongUsageError(f"{folder} cannot be made ({error.strerror}): choose another folder") from error
    return folder
