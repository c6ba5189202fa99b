"""The runs of a learning curve: none may learn from the rows that all are measured on."""

import numpy as np
import pytest

from tests.training.data.exports import any_export
from training.data.dataset import load_labelled
from training.data.prepare import Prepared, as_served
from training.evaluation import held_back
from training.evaluation.held_back import part
from training.evaluation.predictions import NothingToEvaluateError
from training.recipe import CONFIGS, load_recipe

RECIPE = load_recipe(CONFIGS / "tiny.toml")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_labelled(any_export(tmp_path_factory.mktemp("export"), complaints=600))


@pytest.fixture(scope="module")
def parts(data):
    return part(data, "grouped")


@pytest.fixture
def runs(data, parts, monkeypatch):
    """Return what each run would learn from, and the number of complaints that it reported."""
    learnt: list[Prepared] = []
    begun: list[int] = []

    def train_models(recipe, *, output, prepared, checkpoints, on_progress):
        learnt.append(prepared)
        return {}

    def begin(complaints):
        begun.append(complaints)
        return lambda step, done: None

    monkeypatch.setattr(held_back, "train_models", train_models)
    held_back.points_of_fewer(RECIPE, data, parts, begin=begin)
    return learnt, begun


def texts(prepared: Prepared) -> set[str]:
    return {example.text for example in (*prepared.train, *prepared.validation)}


def test_runs_learn_from_ever_more_and_never_from_everything(runs, parts):
    prepared, begun = runs
    assert begun == sorted(begun) and len(begun) == 2
    assert np.allclose(np.array(begun) / len(parts.learn), [0.25, 0.5], atol=0.02)
    assert texts(prepared[0]) < texts(prepared[1])


def test_no_run_learns_what_is_kept_back(runs, data, parts):
    prepared, _ = runs
    kept_back = {as_served(data.rows[place].narrative) for place in parts.test}
    groups = set(data.groups[parts.test].tolist())
    for each in prepared:
        assert not texts(each) & kept_back
        assert not {example.group for example in (*each.train, *each.validation)} & groups


def test_a_task_without_labels_on_what_is_kept_back_has_no_points(data, parts, monkeypatch, tmp_path):
    def missing(*_arguments, **_named):
        raise NothingToEvaluateError

    monkeypatch.setattr(held_back, "train_models", lambda *_arguments, **_named: {"product": tmp_path})
    monkeypatch.setattr(held_back, "_point", missing)
    assert not any(held_back.points_of_fewer(RECIPE, data, parts, begin=lambda size: lambda step, done: None).values())
