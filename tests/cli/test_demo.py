"""`triage demo`, with an embedded AWS that allocates everything at once."""

import re
import sys

import pytest

from cli.commands import demo, demo_models
from cli.commands.demo_models import trained_models
from tests.factories import any_allocation
from training.data.prepare import prepare
from training.recipe import CONFIGS, load_recipe

RECIPE = load_recipe(CONFIGS / "demo.toml")


@pytest.fixture
def allocated_at_once(deployment, monkeypatch):
    """Replace the embedded AWS, training and the review, which have their own tests."""
    monkeypatch.setattr("cli.commands.demo.embedded.up", lambda state, on_progress: None)
    monkeypatch.setattr(demo, "find", lambda environment, state: deployment)
    monkeypatch.setattr(demo, "trained_models", lambda recipe, output: {})
    monkeypatch.setattr(demo, "register_models", lambda bundles, instance, registry: None)
    monkeypatch.setattr(demo, "review", lambda deployment, rows, allocations, *, seed: None)

    def wait_for(_deployment, submission, *, timeout_seconds, on_allocated):
        submission.allocations = {name: any_allocation(complaint_id=name) for name in submission.ids}
        return set()

    monkeypatch.setattr(demo, "wait_for", wait_for)


@pytest.mark.usefixtures("allocated_at_once")
def test_the_demo_shows_one_complaint_alone_then_the_burst_then_what_to_try(triage):
    ended = triage("demo", "--count", 6)
    assert ended.code == 0
    parts = ["One complaint alone", "4 complaints at once", "throughput", "Three things to try next"]
    places = [ended.out.index(part) for part in parts]
    assert places == sorted(places)
    shown = re.findall(r"triage (show|explain|submit|down)", ended.out)
    assert shown[-4:] == ["show", "explain", "submit", "down"]


@pytest.mark.usefixtures("allocated_at_once")
def test_a_demo_with_one_complaint_has_no_burst(triage):
    ended = triage("demo", "--count", 1)
    assert ended.code == 0
    assert "at once" not in ended.out
    assert "Three things to try next" in ended.out


@pytest.mark.usefixtures("allocated_at_once")
def test_the_demo_counts_each_part_for_machines(triage):
    totals = triage("demo", "--count", 6, "--json").json
    assert [totals[part]["submitted"] for part in ("first", "alone", "burst")] == [1, 1, 4]


@pytest.mark.usefixtures("allocated_at_once")
def test_a_complaint_that_is_not_allocated_in_time_is_named(triage, monkeypatch):
    monkeypatch.setattr(demo, "wait_for", lambda _, submission, **_more: set(submission.ids))
    ended = triage("demo", "--count", 1)
    assert ended.code == 1
    assert re.search(r"demo-\S+-0001 among them", ended.err)


def test_models_that_are_trained_already_are_kept_without_importing_torch(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_models, "is_current", lambda *_: True)
    monkeypatch.setitem(sys.modules, "training.pipeline", None)
    assert trained_models(RECIPE, tmp_path) == {task: tmp_path / task for task in RECIPE.tasks}


def test_each_label_of_the_demonstration_is_learnt_and_validated():
    prepared = prepare(RECIPE)
    assert set(prepared.labels) == {"product", "issue", "vulnerable"}
    assert len(prepared.validation) >= 100
