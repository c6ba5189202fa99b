"""`triage strategy set`, `show` and `assign`."""

import pytest

from tests.cli.commands import ENV, registered
from tests.factories import any_arm, any_revision, any_strategy, put_in_force
from triage.strategies.strategy import assign, sample
from triage.tables import MODEL_STRATEGY


def test_a_strategy_is_put_in_force_and_shown(triage, deployment, tmp_path):
    strategy = any_strategy({"champion": 9_000, "challenger": 1_000})
    for arm in strategy.arms:
        registered(deployment, model_id=arm.model_id, revision=arm.revision)
    file = tmp_path / "strategy.json"
    file.write_text(strategy.model_dump_json())
    changed = triage("strategy", "set", "product", file, "--json", *ENV).json
    assert (changed["version"], changed["changed_by"]) == (1, "ann")
    assert triage("strategy", "show", "product", "--json", *ENV).json == changed
    assert triage("strategy", "show", "--json", *ENV).json == [changed]
    assert "90 %" in triage("strategy", "show", *ENV).out


def in_force(deployment, strategy):
    for arm in strategy.all_arms:
        registered(deployment, model_id=arm.model_id, revision=arm.revision)
    put_in_force(deployment.registry, strategy, by="ann", replaces=0)
    return strategy


def test_shadows_are_put_in_force_and_shown_as_such(triage, deployment):
    in_force(deployment, any_strategy(shadows={"next": 2_500}))
    shown = triage("strategy", "show", *ENV).out
    assert "next (shadow)" in shown and "25 %" in shown


def test_a_shadow_that_is_not_active_is_refused(triage, deployment, tmp_path):
    registered(deployment, model_id=any_arm().model_id, revision=any_arm().revision)
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy(shadows={"next": 2_500}).model_dump_json())
    result = triage("strategy", "set", "product", file, *ENV)
    assert result.code == 1
    assert "arm 'next'" in result.err and "is not active for product" in result.err


def test_assign_shows_the_arm_of_each_subject(triage, deployment, tmp_path):
    strategy = in_force(deployment, any_strategy({"champion": 5_000, "challenger": 5_000}))
    subjects = [f"c-{number}" for number in range(20)]
    file = tmp_path / "subjects"
    file.write_text("\n".join(["", *subjects, ""]))
    dealt = triage("strategy", "assign", "product", "--subjects", file, "--json", *ENV).json
    expected = [(subject, assign(strategy, subject)) for subject in subjects]
    assert dealt == {
        "experiment": "first",
        "assignments": [{"subject": s, "bucket": a.bucket, "arm": a.arm.name} for s, a in expected],
    }
    assert "challenger" in triage("strategy", "assign", "product", "--subjects", file, *ENV).out


def test_assign_shows_the_shadows_of_each_subject(triage, deployment, tmp_path):
    strategy = in_force(deployment, any_strategy(shadows={"next": 5_000}))
    file = tmp_path / "subjects"
    file.write_text("\n".join(f"c-{number}" for number in range(20)))
    dealt = triage("strategy", "assign", "product", "--subjects", file, "--json", *ENV).json["assignments"]
    assert {assignment["arm"] for assignment in dealt} == {"champion"}
    told = {a["subject"]: [(shadow["arm"], shadow["bucket"]) for shadow in a["shadows"]] for a in dealt}
    assert told == {s: [(a.arm.name, a.bucket) for a in sample(strategy, s)] for s in told}
    assert 0 < sum(map(bool, told.values())) < len(told)


def test_assign_fails_without_a_strategy_or_text_file(triage, deployment, tmp_path):
    file = tmp_path / "subjects"
    file.write_bytes(b"\xff")
    assert triage("strategy", "assign", "product", "--subjects", file, *ENV).code == 3
    in_force(deployment, any_strategy())
    result = triage("strategy", "assign", "product", "--subjects", file, *ENV)
    assert result.code == 2
    assert "UTF-8" in result.err


@pytest.fixture
def file(deployment, tmp_path):
    """Write a file with a strategy whose only model is registered."""
    registered(deployment, model_id=any_arm().model_id, revision=any_arm().revision)
    written = tmp_path / "strategy.json"
    written.write_text(any_strategy().model_dump_json())
    return written


def test_a_strategy_replaces_the_version_that_its_author_saw(triage, file):
    assert triage("strategy", "set", "product", file, "--json", *ENV).json["version"] == 1
    assert triage("strategy", "set", "product", file, "--json", *ENV).json["version"] == 2
    result = triage("strategy", "set", "product", file, "--replaces", 1, *ENV)
    assert result.code == 1
    assert "not at version 1 any more" in result.err


def test_no_version_is_negative(triage, file):
    assert triage("strategy", "set", "product", file, "--replaces", -1, *ENV).code == 2


def test_a_strategy_of_models_that_are_not_active_is_refused(triage, deployment, tmp_path):
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy().model_dump_json())
    result = triage("strategy", "set", "product", file, *ENV)
    assert result.code == 1
    assert "is not active for product" in result.err


def test_a_strategy_for_another_task_is_refused(triage, deployment, tmp_path):
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy(task="issue").model_dump_json())
    result = triage("strategy", "set", "product", file, *ENV)
    assert result.code == 2
    assert "is for issue, not product" in result.err


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"{", "document: is not JSON"),
        (b"\xff", "document: is not JSON"),
        (b"[]", "document: must be an object"),
        (b"{}", "arms: is missing"),
        (b'{"shadow": 1}', "shadow: is not a known field"),
        (any_strategy().model_dump_json().replace("10000", "9999").encode(), "sum to 9999 basis points"),
        (
            any_strategy(champion="champion")
            .model_dump_json()
            .replace('"champion":"champion"', '"champion":"old"')
            .encode(),
            "the champion 'old' is not among the arms",
        ),
        (any_strategy().model_dump_json().replace(any_revision("champion"), "main").encode(), "arms.0.revision"),
    ],
)
def test_a_document_that_is_no_strategy_is_refused_with_the_places(triage, deployment, tmp_path, document, problem):
    file = tmp_path / "strategy.json"
    file.write_bytes(document)
    result = triage("strategy", "set", "product", file, *ENV)
    assert result.code == 2
    assert problem in result.err
    assert "is not a strategy" in result.err


def test_a_task_without_a_strategy_is_not_found(triage, deployment):
    result = triage("strategy", "show", "product", *ENV)
    assert result.code == 3
    assert "triage strategy set product FILE" in result.err


def test_a_broken_strategy_does_not_hide_the_others(triage, deployment):
    deployment.table(MODEL_STRATEGY).put({"task": "product", "entry": "CURRENT", "version": 1})
    assert triage("strategy", "show", *ENV).code in {0, 1}
