"""`python -m training.redaction`: measure the redactor on the labelled set and on an export."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.redaction.labelled import foreign, load_parts
from training.redaction.measure import Score, measure
from training.redaction.word_lists import read_half
from triage.redaction import REDACTION_VERSION, Entity, is_covered, redact
from triage.text import clean

LENGTH = 1_000
"""The number of characters of the text that is timed: about the mean of real narratives."""


def main(
    data: Annotated[
        Path | None, typer.Option(exists=True, help="Also measure on this CFPB export in Parquet format.")
    ] = None,
    count: Annotated[int, typer.Option(help="The number of narratives to read from the export.")] = 2_000,
) -> None:
    """Print the precision and recall of each entity on each part of the labelled set, and the time for a text."""
    console = Console(width=120)
    for part, examples in load_parts().items():
        console.print(table(part, len(examples), measure(examples)))
    console.print(withheld())
    marked = " ".join(example.text for examples in load_parts().values() for example in examples)
    console.print(f"{LENGTH} characters full of personal data: {milliseconds([marked[:LENGTH]] * 50):.1f} ms")
    if data:
        console.print(real(data, count))


def table(part: str, texts: int, scores: dict[Entity, Score]) -> Table:
    """Return the scores of one part by entity; the last row sums up all entities."""
    title = f"{part}: {texts} texts, redaction {REDACTION_VERSION}"
    shown = Table(
        "entity", "marked", "recall", "characters hidden", "found", "precision", "harmed characters", title=title
    )
    for name, score in [*scores.items(), ("all", sum(scores.values(), Score()))]:
        shown.add_row(
            str(name),
            str(score.marked),
            f"{score.recall:.3f}",
            f"{score.hidden_share:.3f}",
            str(score.found),
            f"{score.precision:.3f}",
            f"{score.harmed_share:.3f}",
        )
    return shown


def withheld() -> Table:
    """Return which letters in other languages are withheld when an explanation is handed out."""
    shown = Table("language", "letters", "withheld", "recall", title="other languages")
    for language, letters in foreign().items():
        count = sum(not is_covered(letter) for letter in letters)
        shown.add_row(language, str(len(letters)), str(count), f"{count / len(letters):.3f}")
    return shown


def real(data: Path, count: int) -> Table:
    """Count what is replaced in the narratives of the half of an export that the word lists were not built from.

    CFPB has already removed personal data from them.
    """
    narratives = [clean(narrative) for narrative in read_half(data, even=False)][:count]
    redacted = [redact(narrative) for narrative in narratives]
    changed = sum(bool(result.counts) for result in redacted)
    shown = Table("measure", "value", title=f"{len(narratives)} narratives of {data.name}")
    shown.add_row("narratives changed", f"{changed / len(narratives):.2%}")
    for entity, replaced in sum((Counter(result.counts) for result in redacted), Counter[Entity]()).most_common():
        shown.add_row(f"{entity} replaced", str(replaced))
    kept_back = sum(not is_covered(narrative) for narrative in narratives)
    shown.add_row("withheld as not English", f"{kept_back / len(narratives):.2%}")
    shown.add_row("mean length", f"{sum(map(len, narratives)) / len(narratives):.0f} characters")
    shown.add_row("time a narrative", f"{milliseconds(narratives):.2f} ms")
    return shown


def milliseconds(texts: list[str]) -> float:
    """Return the mean time to redact one of the texts."""
    redact(texts[0])
    start = time.perf_counter()
    for text in texts:
        redact(text)
    return (time.perf_counter() - start) * 1e3 / len(texts)


if __name__ == "__main__":
    typer.run(main)
