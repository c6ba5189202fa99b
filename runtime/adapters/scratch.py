"""Folders for files that a function can do without."""

import shutil
import tempfile
from functools import cache
from pathlib import Path


def scratch(purpose: str) -> Path:
    """Return the folder of this purpose in the temporary folder. The first call of a process empties it.

    Its name is fixed: where a function was ended, because its time or memory ran out, Lambda starts the next process
    beside the files that the last one left. Under new names they would fill the disk.
    """
    return _emptied(Path(tempfile.gettempdir()) / f"complaints-triage-{purpose}")


@cache
def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
