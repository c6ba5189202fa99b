"""Draw the coloured output of `triage demo`, saved in a file, as an SVG: `draw.py FILE PICTURE`."""

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

FIRST = "One complaint alone"
"""Where the picture begins."""


def main(source: Path, picture: Path) -> None:
    text = Text.from_ansi(source.read_text()[source.read_text().index(FIRST) :].rstrip())
    width = max(len(line) for line in text.plain.splitlines())
    console = Console(record=True, width=width, file=StringIO())
    console.print(text)
    drawn = console.export_svg(title="triage demo")
    # Pages that show the picture load nothing from elsewhere: the reader's own monospaced font serves.
    picture.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
