"""Commands that change a strategy by hand, and the entries that they write to the ledger."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from cli.aws.deployment import Deployment
from tests.cli.conftest import publish
from tests.factories import (
    any_allocation,
    any_change,
    any_feedback,
    any_model_info,
    any_model_reference,
    any_prediction,
    any_strategy,
    put_in_force,
)
from tests.triage.promotion.factories import any_evidence
from triage.complaint import timestamp
from triage.promotion.evidence import Evidence
from triage.story import Drawn, FeedbackEntry
from triage.tables import MODEL_INFO

ENV = ("--env", "dev")
REASON = ("--reason", "a good one")
CANARY = any_strategy({"champion": 9_500, "next": 500})
SHADOWED = any_strategy(shadows={"next": 500})
CHAMPION, NEXT = (arm.version for arm in CANARY.arms)


@pytest.fixture
def triage(shell, monkeypatch):
    """Return a function that runs a command as somebody and returns exit code, output, and errors in one line."""

    def run(*arguments: object, by: str = "ann") -> tuple[int, str, str]:
        monkeypatch.setattr(Deployment, "operator", by)
        code, out, err = shell("strategy", *arguments, *ENV)
        return code, out, " ".join(err.split())

    return run


@pytest.fixture
def deployment(dev):
    for number, arm in enumerate(CANARY.arms):
        state = "challenger" if number else "champion"
        dev.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, state=state))
    put_in_force(dev.registry, CANARY, by="ann", replaces=0)
    return dev


@pytest.fixture
def two_people(dev):
    publish(dev.session, "second-approver", "yes")


def answers(deployment) -> str:
    return str(deployment.registry.strategies.get("product").strategy.champion_arm.version)


def kinds(deployment) -> list[str]:
    return [entry.kind for entry in deployment.registry.strategies.history("product")]


def test_a_person_promotes_the_only_challenger(triage, deployment):
    code, out, _ = triage("promote", "product", *REASON, "--json")
    entry = json.loads(out)
    assert (code, entry["kind"], entry["champion"], entry["actor"]) == (0, "promote", NEXT, "ann")
    assert answers(deployment) == NEXT


def test_a_change_without_a_reason_is_refused(triage, deployment):
    for verb in ("promote", "rollback", "freeze", "unfreeze"):
        code, _, err = triage(verb, "product")
        assert (code, "--reason" in err) == (2, True)
    assert kinds(deployment) == ["set"]


def test_an_unknown_challenger_is_refused_with_the_known_ones(triage, deployment):
    code, _, err = triage("promote", "product", "champion", *REASON)
    assert code == 2 and "one of the challengers: next" in err


@pytest.mark.usefixtures("two_people")
def test_where_two_people_are_asked_for_the_second_one_promotes(triage, deployment):
    assert "somebody else" in triage("promote", "product", *REASON, by="bob")[1]
    assert answers(deployment) == CHAMPION
    for who in ("bob", "ann"):
        code, _, err = triage("approve", "product", by=who)
        assert code == 1 and "somebody else" in err
    assert triage("approve", "product", by="eve")[0] == 0
    assert answers(deployment) == NEXT
    entry = list(deployment.registry.strategies.history("product"))[-1]
    assert (entry.actor, entry.approver, entry.reason) == ("bob", "eve", "a good one")


@pytest.mark.usefixtures("two_people")
def test_a_declined_change_leaves_the_strategy_unchanged(triage, deployment):
    triage("promote", "product", *REASON, by="bob")
    assert triage("decline", "product", *REASON, by="eve")[0] == 0
    code, _, err = triage("approve", "product", by="eve")
    assert code == 1 and "nothing is proposed" in err
    assert triage("decline", "product", *REASON)[0] == 1
    assert kinds(deployment) == ["set", "propose", "decline"]


@pytest.mark.usefixtures("two_people")
def test_the_ledger_shows_a_break_glass_change(triage, deployment):
    assert triage("promote", "product", *REASON, "--break-glass")[0] == 0
    assert answers(deployment) == NEXT
    assert "break-glass" in triage("history", "product")[1]


@pytest.mark.usefixtures("two_people")
def test_a_rollback_waits_for_nobody(triage, deployment):
    triage("promote", "product", *REASON, "--break-glass")
    triage("rollback", "product", *REASON)
    assert answers(deployment) == CHAMPION


def test_a_rollback_takes_challengers_out_before_it_brings_a_champion_back(triage, deployment):
    assert triage("rollback", "product", *REASON)[0] == 0
    assert deployment.registry.strategies.get("product").strategy.kind == "single"
    code, _, err = triage("rollback", "product", *REASON)
    assert code == 1 and "only champion" in err


def test_a_frozen_strategy_says_so_until_it_is_lifted(triage, deployment):
    triage("freeze", "product", *REASON)
    assert deployment.registry.strategies.get("product").frozen.reason == "a good one"
    triage("unfreeze", "product", *REASON)
    assert deployment.registry.strategies.get("product").frozen is None


def test_the_ledger_says_who_was_champion_from_when_to_when(triage, deployment):
    triage("promote", "product", *REASON)
    first, second = json.loads(triage("history", "product", "--json")[1])
    assert (first["champion"], second["champion"]) == (CHAMPION, NEXT)
    assert (first["valid_to"], second["valid_to"]) == (second["valid_from"], None)
    moment = datetime.fromisoformat(first["valid_from"])
    at = f"{moment:%Y-%m-%dT%H:%M:%S.%f}"
    assert json.loads(triage("history", "product", "--at", at, "--json")[1])["champion"] == CHAMPION
    code, _, err = triage("history", "product", "--at", f"{moment - timedelta(days=1):%Y-%m-%d}")
    assert code == 3 and "begins later" in err


def test_a_task_without_a_ledger_is_not_found(triage, deployment):
    assert triage("history", "issue")[0] == 3
    assert triage("promote", "issue", *REASON)[0] == 3


def test_a_change_of_a_strategy_that_changed_meanwhile_is_refused(triage, deployment, monkeypatch):
    strategies = deployment.registry.strategies
    row = strategies.get("product")
    strategies.change(any_change(SHADOWED, actor="bob"), replaces=row.version)
    monkeypatch.setattr("cli.commands.promotion.in_force", lambda deployment, task: row)
    code, _, err = triage("promote", "product", *REASON)
    assert code == 1 and "look again" in err


def test_the_evidence_on_each_challenger_is_shown_and_nothing_is_changed(triage, deployment):
    story = deployment.story
    for number in range(30):
        for entry in observed(f"c-{number}", right=number % 3 > 0):
            story.put(entry)
    before = kinds(deployment)
    (told,) = json.loads(triage("evidence", "product", "--json")[1])
    assert (told["challenger"], told["judgement"]["verdict"]) == ("next", "inconclusive")
    assert (told["evidence"]["primary"]["challenger"], told["evidence"]["labels"]) == (pytest.approx(2 / 3), 30)
    code, out, _ = triage("evidence", "product")
    assert code == 0
    for shown in (
        "inconclusive",
        "30 of 200 labels",
        "superiority of accuracy",
        "McNemar",
        "intended",
        "next: nothing",
    ):
        assert shown in out
    assert kinds(deployment) == before


def observed(complaint_id: str, *, right: bool):
    """Yield the records of a labelled complaint that the champion got wrong. right: the challenger's result."""
    now = timestamp(datetime.now(UTC))
    answers = ((CANARY.champion_arm, "Student loan"), (CANARY.challengers[0], "Mortgage" if right else "Student loan"))
    for arm, label in answers:
        model = any_model_reference(
            model_id=arm.model_id, revision=arm.revision, arm=arm.name, bucket=1, strategy_version=1
        )
        yield any_prediction(complaint_id=complaint_id, model=model, label=label, predicted_at=now)
    yield any_allocation(complaint_id=complaint_id, drawn=Drawn(stratum="random", inclusion=1.0))
    feedback = any_feedback(complaint_id=complaint_id, kind="reallocate", product="Mortgage", mode="blind")
    yield FeedbackEntry(
        complaint_id=complaint_id,
        entry=FeedbackEntry.key(2),
        code_version="test",
        made_version=2,
        applied_at=now,
        labelled_on=now[:10],
        labels={"product": "Mortgage"},
        feedback=feedback,
    )


def test_a_task_without_a_challenger_has_no_evidence(triage, deployment):
    triage("rollback", "product", *REASON)
    code, _, err = triage("evidence", "product")
    assert code == 3 and "no challenger" in err


def test_a_strategy_is_tried_on_the_past_before_it_is_in_force(triage, deployment, tmp_path):
    for number in range(30):
        for entry in observed(f"c-{number}", right=number % 3 > 0):
            deployment.story.put(entry)
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy({"next": 10_000}).model_dump_json())
    before = kinds(deployment)
    told = json.loads(triage("simulate", "product", "--strategy", file, "--threshold", "0.95", "--json")[1])
    assert (told["present"]["accuracy"], told["proposed"]["accuracy"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert told["proposed"]["reviewed"] == 1.0 and told["proposed"]["reviews_a_day"] == 3_000
    code, out, _ = triage("simulate", "product", "--threshold", "0.5")
    assert code == 0 and "pounds a year" in out and "next 30" in out
    assert kinds(deployment) == before


def test_a_simulation_needs_a_proposal_and_a_past(triage, deployment):
    assert triage("simulate", "product")[0] == 2
    code, _, err = triage("simulate", "product", "--threshold", "0.5")
    assert code == 3 and "no model decided product" in err


def test_the_page_of_evidence_loads_no_other_file(triage, deployment, tmp_path):
    for number in range(30):
        for entry in observed(f"c-{number}", right=number % 3 > 0):
            deployment.story.put(entry)
    file = tmp_path / "evidence.html"
    assert triage("evidence", "product", "--html", file)[0] == 0
    page = file.read_text()
    for shown in ("Inconclusive", "30 of 200 labels", "superiority of accuracy", NEXT):
        assert shown in page
    assert page.count("<svg") == 4
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)[^"']+""", page)


def test_a_page_without_labels_or_answers_still_tells_the_verdict(triage, deployment, tmp_path):
    file = tmp_path / "evidence.html"
    assert triage("evidence", "product", "--html", file)[0] == 0
    assert "Inconclusive" in file.read_text()


def stored(deployment, **changed: str) -> Evidence:
    """Store a change and its evidence. changed: fields that differ in the document in the bucket."""
    document = any_evidence(challenger=NEXT, champion=CHAMPION)
    body = document.model_copy(update=changed).document()
    bucket, key = deployment.name("evidence-bucket"), document.reference().key
    deployment.session.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    change = any_change(any_strategy({"next": 10_000}), kind="promote", evidence=document.reference())
    deployment.registry.strategies.change(change, replaces=1)
    return document


def test_the_evidence_of_a_change_is_shown_as_it_was_stored(triage, deployment):
    sha256 = stored(deployment).reference().sha256
    (told,) = json.loads(triage("evidence", "product", "--change", sha256[:12], "--json")[1])
    assert (told["challenger"], told["change"]["kind"]) == ("next", "promote")
    code, out, _ = triage("evidence", "product", "--change", sha256[:12])
    assert code == 0 and "promote at" in out


def test_a_document_that_is_not_what_the_ledger_names_is_refused(triage, deployment):
    sha256 = stored(deployment, until="2027-01-01T00:00:00.000Z").reference().sha256
    code, _, err = triage("evidence", "product", "--change", sha256[:12])
    assert code == 1 and "is not what the ledger names" in err


def test_evidence_that_no_change_rests_on_is_not_found(triage, deployment):
    code, _, err = triage("evidence", "product", "--change", "abc")
    assert code == 3 and "names no evidence" in err


def proposed(tmp_path, strategy):
    file = tmp_path / "strategy.json"
    file.write_text(strategy.model_dump_json())
    return file


@pytest.mark.usefixtures("two_people")
@pytest.mark.parametrize("shares", [{"next": 10_000}, {"champion": 0, "next": 10_000}], ids=["champion", "share"])
def test_a_strategy_that_takes_the_champions_traffic_waits_for_a_second_person_too(
    triage, deployment, tmp_path, shares
):
    file = proposed(tmp_path, any_strategy(shares))
    assert "somebody else" in triage("set", "product", file, by="bob")[1]
    assert deployment.registry.strategies.get("product").strategy == CANARY
    triage("approve", "product", by="eve")
    assert kinds(deployment) == ["set", "propose", "set"]
    assert deployment.registry.strategies.get("product").strategy == any_strategy(shares)


@pytest.mark.usefixtures("two_people")
def test_a_strategy_that_keeps_the_champion_needs_nobody_else(triage, deployment, tmp_path):
    assert triage("set", "product", proposed(tmp_path, SHADOWED))[0] == 0
    assert triage("set", "product", proposed(tmp_path, any_strategy({"next": 10_000})), "--break-glass")[0] == 0
    assert answers(deployment) == NEXT
    assert list(deployment.registry.strategies.history("product"))[-1].break_glass


@pytest.mark.usefixtures("two_people")
def test_the_first_strategy_of_a_task_begins_with_the_champion_that_there_is(triage, dev, tmp_path):
    for number, arm in enumerate(CANARY.arms):
        state = "challenger" if number else "champion"
        dev.table(MODEL_INFO).put(any_model_info(model_id=arm.model_id, revision=arm.revision, state=state))
    code, _, err = triage("set", "product", proposed(tmp_path, any_strategy({"next": 10_000})))
    assert code == 1 and "no strategy yet" in err
    assert triage("set", "product", proposed(tmp_path, any_strategy()))[0] == 0
