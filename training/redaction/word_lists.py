"""`python -m training.redaction.word_lists FILE --names DIR`: build the word lists of the redactor.

FILE is a CFPB export. CFPB has removed the names of people from it, so a word in it is not a name, or not only a name.
Complaints with an even id are read; the others are left to measure on. DIR holds the lists of first and last names of
the US Census of 1990, as in the package `names` 0.3.0. `names.toml` adds names that the census lacks.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import pyarrow.parquet
import typer

SURNAMES = 8_000
"""The number of surnames, most frequent first. Each name after these belongs to fewer than 1 in 50,000 people."""

ORDINARY_FROM = 2
"""How often a word must occur to be ordinary. A word that occurs once may be a name that CFPB overlooked."""

WORD = re.compile(r"[^\W\d_]+")
OUTPUT = Path(__file__).parents[2] / "triage" / "redaction" / "lexicon.json"


def main(
    export: Annotated[Path, typer.Argument(exists=True)],
    names: Annotated[Path, typer.Option(exists=True, file_okay=False)],
) -> None:
    """Write the word lists to `triage/redaction/lexicon.json`."""
    lists = build(ordinary_words(read_half(export, even=True)), names)
    lines = {name: by_initial(words) for name, words in lists.items()}
    OUTPUT.write_text(json.dumps(lines, ensure_ascii=False, indent=0) + "\n")
    print(*(f"{name}: {len(words)}" for name, words in lists.items()), sep=", ")


def read_half(export: Path, *, even: bool) -> Iterator[str]:
    """Yield the narratives of complaints with an even id, or with an odd id."""
    table = pyarrow.parquet.read_table(export, columns=["complaint_id", "narrative"])
    for complaint_id, narrative in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        if (int(complaint_id) % 2 == 0) is even:
            yield narrative


def ordinary_words(narratives: Iterable[str]) -> set[str]:
    counts = Counter(word.lower() for narrative in narratives for word in WORD.findall(narrative))
    return {word for word, count in counts.items() if count >= ORDINARY_FROM and len(word) > 1}


def build(ordinary: set[str], folder: Path) -> dict[str, set[str]]:
    """Return the four lists that `Lexicon` in `triage/redaction/lexicon.py` describes."""
    own = tomllib.loads(Path(__file__).with_name("names.toml").read_text())
    given = {*census(folder / "dist.male.first"), *census(folder / "dist.female.first"), *own["given"].split()}
    given = {name for name in given if len(name) > 2} - set(own["never"].split())
    surnames = {*census(folder / "dist.all.last")[:SURNAMES], *own["surnames"].split()} - set(own["never"].split())
    ordinary |= set(own["ordinary"].split())
    certain = set(own["certain"].split())
    ambiguous = (given & ordinary - certain) | set(own["ambiguous"].split()) - set(own["never"].split())
    return {
        "given": given - ambiguous,
        "ambiguous": ambiguous,
        "surnames": {name for name in surnames if len(name) > 1},
        "ordinary": ordinary - certain,
    }


def census(path: Path) -> list[str]:
    """Return the names of a census file, most frequent first. Each is the first word of its line."""
    return [line.split()[0].lower() for line in path.read_text().splitlines() if line.strip()]


def by_initial(words: set[str]) -> list[str]:
    """Return one line for each initial, so that a change of the lists is readable in a diff."""
    initials = sorted({word[0] for word in words})
    return [" ".join(sorted(word for word in words if word[0] == initial)) for initial in initials]


if __name__ == "__main__":
    typer.run(main)
