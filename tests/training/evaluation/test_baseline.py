"""Baselines on small invented data. Several tests try to leak the answer, and show that it leaks without the guard."""

import csv
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from training.data.dataset import LabelledData, LabelledRow
from training.data.groups import near_duplicate_groups
from training.data.splits import Split, grouped_split
from training.evaluation.baseline import Examples, baselines, constant, examples, linear, main, splits, thresholds
from training.evaluation.measures import Figures, figures
from training.evaluation.scored_answers import Judged

PRODUCTS = {
    "Credit card": ("card", "limit", "rewards", "statement"),
    "Mortgage": ("escrow", "house", "closing", "refinance"),
    "Student loan": ("college", "servicer", "forbearance", "degree"),
    "Vehicle loan or lease": ("car", "dealer", "lease", "title"),
}
FILLER = [f"filler{chr(97 + first)}{chr(97 + second)}" for first in range(20) for second in range(26)]
START = date(2020, 1, 1)


def words_of(product: str, chance: random.Random) -> str:
    """Return a text that no other row has, with words that reveal the product."""
    return " ".join([*chance.sample(FILLER, 12), *chance.choices(PRODUCTS[product], k=4)])


def only_filler(product: str, chance: random.Random) -> str:
    """Return a text that no other row has, without words that reveal the product."""
    return " ".join(chance.sample(FILLER, 16))


def any_data(*, n: int = 200, copies: int = 1, text: Callable[[str, random.Random], str] = words_of) -> LabelledData:
    """Return `n` rows, a day apart. Each text occurs `copies` times in succession with one label."""
    chance = random.Random(1)
    letters = [(product, text(product, chance)) for product in chance.choices(list(PRODUCTS), k=n // copies)]
    rows = tuple(
        LabelledRow(
            row=number + 1,
            complaint_id=str(number),
            narrative=narrative,
            product=product,
            issue="Incorrect information on your report",
            vulnerable=None if number % 5 == 0 else "degree" in narrative,
            received=START + timedelta(days=number),
            channel="Web",
        )
        for number, (product, narrative) in enumerate(letter for letter in letters for _ in range(copies))
    )
    groups = near_duplicate_groups([row.narrative for row in rows])
    return LabelledData(rows=rows, groups=groups, without_narrative=0, crosswalk="1", taxonomy="1")


def accuracy(data: LabelledData, groups: np.ndarray) -> float:
    split = grouped_split(groups, test=0.3, validation=0.2, seed=1)
    return float(baselines(data, split, task="product")["TF-IDF + linear"].correct.mean())


def measured(data: LabelledData, split: Split, *, task: str) -> dict[str, Figures]:
    return {name: figures(judged) for name, judged in baselines(data, split, task=task).items()}


def test_words_that_tell_the_product_beat_the_most_frequent_label():
    data = any_data()
    models = measured(data, grouped_split(data.groups, seed=1), task="product")
    good, poor = (models[name]["accuracy"] for name in ("TF-IDF + linear", "constant"))
    assert good is not None and poor is not None
    assert good > 0.95 > 0.5 > poor


def test_both_baselines_are_measured_on_the_same_rows():
    data = any_data()
    split = grouped_split(data.groups, seed=1)
    assert {len(judged) for judged in baselines(data, split, task="product").values()} == {len(split.test)}


def test_copies_of_a_letter_do_not_help_across_a_grouped_split():
    """If every row were its own group, the baseline would memorise random labels."""
    data = any_data(copies=4, text=only_filler)
    assert accuracy(data, np.arange(len(data.rows))) > 0.9
    assert accuracy(data, data.groups) < 0.5


def test_no_text_of_the_test_is_trained_on():
    data = any_data(copies=3)
    by_name = splits(data, test=0.2, gap=timedelta(0), seed=1)
    assert by_name["time"].counts["straddling"], "a letter before the border has a copy behind it"
    for split in by_name.values():
        trained = {data.rows[row].narrative for row in (*split.train, *split.validation)}
        assert not trained & {data.rows[row].narrative for row in split.test}


def test_neither_label_nor_channel_goes_into_the_text():
    data = any_data(text=only_filler)
    part = examples(data, np.arange(len(data.rows)), task="product")
    assert part.texts == [row.narrative for row in data.rows]
    assert accuracy(data, data.groups) < 0.5, "only the label could tell the product here"


def test_complaints_of_unknown_vulnerability_take_no_part():
    data = any_data()
    part = examples(data, np.arange(len(data.rows)), task="vulnerable")
    assert len(part.labels) == 160
    assert set(part.labels) == {"vulnerable", "not vulnerable"}


def test_average_precision_is_of_the_vulnerable():
    data = any_data()
    models = measured(data, grouped_split(data.groups, test=0.3, seed=1), task="vulnerable")
    found, base_rate = (models[model]["average_precision"] for model in ("TF-IDF + linear", "constant"))
    assert found is not None and base_rate is not None
    assert found > 0.8 > 0.5 > base_rate
    assert models["constant"]["top3_accuracy"] is None


def test_a_part_with_one_label_is_nothing_to_learn():
    data = any_data()
    with pytest.raises(ValueError, match="needs two labels"):
        baselines(data, grouped_split(data.groups, seed=1), task="issue")


def test_probabilities_sum_to_one():
    data = any_data()
    part = examples(data, np.arange(150), task="product")
    rest = examples(data, np.arange(150, 200), task="product")
    for given in (linear(part, rest, rest.texts), constant(part, rest.texts)):
        assert given.shape == (50, 4)
        assert np.allclose(given.sum(axis=1), 1)


def test_the_constant_answers_are_the_shares_of_the_training_part():
    assert constant(Examples(["a", "b", "c", "d"], ["x", "y", "y", "y"]), ["e"]).tolist() == [[0.25, 0.75]]


def test_the_linear_baseline_flags_and_acts_alone_by_thresholds_of_its_own():
    probability = np.array([[0.1, 0.9], [0.3, 0.7], [0.8, 0.2], [0.9, 0.1]] * 30)
    truth = np.array(["vulnerable", "vulnerable", "vulnerable", "not vulnerable"] * 30)
    judged = Judged(
        labels=("not vulnerable", "vulnerable"), probability=probability, truth=truth, positive="vulnerable"
    )
    chosen = thresholds(judged)
    assert chosen.flag == 0.7, "two of three are found, and 60 % are asked for"
    assert chosen.auto == 0.9


def test_both_splits_test_on_about_the_share_that_was_asked_for():
    data = any_data()
    by_name = splits(data, test=0.2, gap=timedelta(days=10), seed=1)
    assert {name: len(split.test) for name, split in by_name.items()} == {"grouped random": 40, "time": 40}
    assert by_name["time"].counts["purged"] == 10


def test_the_command_prints_one_row_for_each_split_task_and_model(tmp_path: Path):
    app = typer.Typer()
    app.command()(main)
    result = CliRunner().invoke(app, [str(_export(tmp_path)), "--gap", "3"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for split in ("grouped random", "time"):
        for task in ("product", "issue", "vulnerable"):
            lines = [line for line in result.output.splitlines() if f"│ {split}" in line and f" {task} " in line]
            assert len(lines) == 2
    assert "200 complaints in" in result.output


def _export(folder: Path) -> Path:
    issues = dict(zip(PRODUCTS, ("Rewards", "Closing on a mortgage", "Getting a loan", "Repossession"), strict=True))
    columns = ("Complaint ID", "Date received", "Product", "Issue", "Consumer complaint narrative", "Tags")
    with (folder / "export.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in any_data().rows:
            tag = "Servicemember" if row.vulnerable else ""
            writer.writerow((row.complaint_id, row.received, row.product, issues[row.product], row.narrative, tag))
    return folder / "export.csv"
