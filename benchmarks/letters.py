"""Measure how well complaints are read that come as mails, in each style of `benchmarks.mail_styles`.

    python -m benchmarks.letters [--data EXPORT] [--count N]

A classifier of words learns from plain letters. Each of the other letters is then sent as a mail that quotes a letter
about another product. Exact: the share of mails whose message is the letter, word by word. Agreement: the share that
gets the same product as the plain letter, from the message that is read, and from the mail as it is written.
"""

import argparse
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.mail_styles import STYLES, Style
from cli.output import print_table
from training.data.dataset import load_labelled
from training.generator import generate
from triage.letter import LETTER_VERSION, spoken
from triage.text import clean

COUNT = 500
LEARNT = 4_000
WIDTH = 90
"""Characters of a line: letters of an export come on few lines, and mail programs break them."""

Letters = Sequence[tuple[str, str]]
"""Texts and products."""


@dataclass(frozen=True)
class Measured:
    """Shares of the mails of one style."""

    exact: float
    read: float
    as_written: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="an export with CFPB's column names; else letters are generated")
    parser.add_argument("--count", type=int, default=COUNT, help="mails of each style")
    arguments = parser.parse_args()
    found = measured(letters(arguments.data, count=arguments.count + LEARNT), count=arguments.count)
    print_table(
        f"{arguments.count} mails of each style, read by version {LETTER_VERSION}",
        ("style", "message exact", "product as plain, read", "product as plain, as written"),
        [(name, f"{m.exact:.1%}", f"{m.read:.1%}", f"{m.as_written:.1%}") for name, m in found.items()],
    )


def letters(data: Path | None, *, count: int) -> Letters:
    """Return different letters, evenly spread over an export."""
    if data is None:
        return [(clean(one.narrative), one.product) for one in islice(generate(count, seed=8), count)]
    rows = load_labelled(data).rows
    return [(row.narrative, row.product) for row in rows[:: max(1, len(rows) // count)][:count]]


def measured(known: Letters, *, count: int) -> dict[str, Measured]:
    """Measure on the first `count` letters, and learn from the others."""
    tested, learnt = known[:count], known[count:]
    model = make_pipeline(
        TfidfVectorizer(min_df=2, sublinear_tf=True, max_features=50_000),
        LogisticRegression(max_iter=200, C=10, random_state=0),
    ).fit([text for text, _ in learnt], [product for _, product in learnt])
    plain = model.predict([text for text, _ in tested])
    return {name: _measured(style, tested, model, plain) for name, style in STYLES.items()}


def _measured(style: Style, tested: Letters, model: Any, plain: Any) -> Measured:
    mails = [style(_lines(text), _lines(_other(tested, place))) for place, (text, _) in enumerate(tested)]
    read = [spoken(mail) for mail in mails]
    exact = sum(one == text for one, (text, _) in zip(read, tested, strict=True)) / len(tested)
    same = (float((model.predict(texts) == plain).mean()) for texts in (read, list(map(clean, mails))))
    return Measured(exact, *same)


def _other(tested: Letters, place: int) -> str:
    """Return the next letter about another product."""
    product = tested[place][1]
    following = (*tested[place + 1 :], *tested[:place])
    return next((text for text, other in following if other != product), "Thank you for your letter.")


def _lines(text: str) -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


if __name__ == "__main__":
    main()
