"""Commands against a deployment whose AWS is moto's: tables cut from their specifications, and published names."""

import json
from datetime import UTC, datetime

import pytest

from cli.deployment import Deployment
from cli.environment import latest
from tests.cli.conftest import publish
from tests.factories import (
    any_allocation,
    any_arm,
    any_feedback,
    any_item,
    any_model_info,
    any_model_reference,
    any_prediction,
    any_revision,
    any_selection,
    any_strategy,
    put_in_force,
)
from triage.allocation import MANUAL_TEAM
from triage.feedback import FeedbackRow
from triage.story import FailureEntry, FeedbackEntry, SupersededEntry
from triage.strategy import assign, sample
from triage.tables import MODEL_STRATEGY
from triage.taxonomy import load_taxonomy

ACCOUNT = "123456789012"
MACHINE = f"arn:aws:states:eu-west-2:{ACCOUNT}:stateMachine:triage"
ENV = ("--env", "dev")


class Result:
    """How a command ended; what people read, with the breaks of a narrow terminal taken out."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = " ".join(out.split())
        self.err = " ".join(err.split())
        self._printed = out

    @property
    def json(self):
        return json.loads(self._printed)


@pytest.fixture
def triage(shell, monkeypatch, tmp_path):
    """The command as the shell runs it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIAGE_OPERATOR", "ann")

    def run(*arguments: object) -> Result:
        return Result(*shell(*arguments))

    return run


@pytest.fixture
def deployment(dev: Deployment) -> Deployment:
    states = dev.session.client("stepfunctions")
    definition = {"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}
    role = f"arn:aws:iam::{ACCOUNT}:role/any"
    states.create_state_machine(name="triage", definition=json.dumps(definition), roleArn=role)
    queue = dev.session.client("sqs").create_queue(QueueName="parked")["QueueUrl"]
    for name, value in {"retention-days": "90", "state-machine": MACHINE, "parked-queue": queue}.items():
        publish(dev.session, name, value)
    return dev


def registered(deployment, **values):
    model = any_model_info(**values)
    deployment.registry._models.put(model)
    return model


def export(tmp_path, *items, name="complaints.jsonl"):
    file = tmp_path / name
    file.write_text("\n".join(map(json.dumps, items)))
    return file


def parked(deployment, complaint_id="8123456"):
    deployment.complaints.put(any_item(complaint_id=complaint_id))
    outbox = deployment.outbox()
    assert outbox.claim(complaint_id, datetime.now(UTC))
    (item,) = (i for i in outbox.started_before(datetime.now(UTC)) if i["complaint_id"] == complaint_id)
    assert outbox.park(item)


# submit


def test_submitted_complaints_are_put_without_what_their_export_decided(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1", product="Mortgage"), any_item(complaint_id="2"))
    totals = triage("submit", file, "--json", *ENV).json
    assert (totals["submitted"], totals["duplicates"], totals["rejected"]) == (2, 0, 0)
    assert deployment.complaints.get("1") == any_item(complaint_id="1")


def test_a_limit_submits_the_first_complaints(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id="2"))
    assert triage("submit", file, "--limit", 1, "--json", *ENV).json["submitted"] == 1
    assert deployment.complaints.get("2") is None


def test_complaints_submitted_again_are_counted_and_untouched(triage, deployment, tmp_path):
    triage("submit", export(tmp_path, any_item(narrative="first")), *ENV)
    totals = triage("submit", export(tmp_path, any_item(narrative="second")), "--json", *ENV).json
    assert totals["duplicates"] == 1
    assert deployment.complaints.get("8123456")["narrative"] == "first"


def test_refused_rows_are_kept_to_be_mended(triage, deployment, tmp_path):
    file = export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id=None, narrative="a secret"))
    result = triage("submit", file, "--json", *ENV)
    assert result.code == 0
    assert result.json["rejected"] == 1
    assert "row 2 refused: it has no complaint_id" in result.err
    rejected = tmp_path / "rejected.jsonl"
    assert json.loads(rejected.read_text()) == {"narrative": "a secret"}
    assert rejected.stat().st_mode & 0o077 == 0
    assert "secret" not in result.err + result.out


def test_a_mended_file_of_refused_rows_can_be_submitted(triage, deployment, tmp_path):
    triage("submit", export(tmp_path, any_item(complaint_id="1"), any_item(complaint_id=None)), *ENV)
    rejected = tmp_path / "rejected.jsonl"
    mended = json.loads(rejected.read_text()) | {"complaint_id": "2"}
    assert triage("submit", export(tmp_path, mended, name="mended.jsonl"), "--json", *ENV).json["submitted"] == 1
    assert deployment.complaints.get("2")


def test_a_submission_can_be_waited_for(triage, deployment, tmp_path):
    deployment.story.put(any_allocation(route="review", journey="specialist"))
    totals = triage("submit", export(tmp_path, any_item()), "--wait", "--json", *ENV).json
    assert (totals["allocated"], totals["review"], totals["specialist"]) == (1, 1, 1)


def test_an_allocation_that_does_not_come_in_time_is_a_failure_with_its_totals(triage, deployment, tmp_path):
    result = triage("submit", export(tmp_path, any_item()), "--wait", "--timeout", 0.1, "--json", *ENV)
    assert result.code == 1
    assert result.json["allocated"] == 0
    assert "1 complaints had no allocation after 0.1 s, 8123456 among them" in result.err


def test_allocations_are_shown_to_people(triage, deployment, tmp_path):
    deployment.story.put(any_allocation(product_team="student-loan"))
    result = triage("submit", export(tmp_path, any_item()), "--wait", *ENV)
    assert result.code == 0
    assert "student-loan" in result.out


def test_an_export_that_cannot_be_read_says_where(triage, deployment, tmp_path):
    (tmp_path / "complaints.csv").write_text("narrative\nno ids")
    result = triage("submit", tmp_path / "complaints.csv", *ENV)
    assert result.code == 1
    assert "has no complaint ids" in result.err


def test_a_file_that_does_not_exist_is_wrong_usage(triage, deployment):
    assert triage("submit", "absent.csv", *ENV).code == 2


# models


def test_models_are_listed_by_task(triage, deployment):
    registered(deployment, task="product", revision=any_revision("b"))
    registered(deployment, task="issue", revision=any_revision("a"))
    listed = triage("models", "list", "--json", *ENV).json
    assert [model["task"] for model in listed] == ["issue", "product"]
    assert listed[0]["bundle"]["engine"] == "onnx"


def test_a_row_that_somebody_broke_hides_no_other(triage, deployment):
    registered(deployment)
    deployment.registry._models.put({"model_id": "acme/broken", "revision": "main", "state": "champion"})
    assert [model["model_id"] for model in triage("models", "list", "--json", *ENV).json] == ["acme/model"]


def test_models_are_listed_to_people(triage, deployment):
    model = registered(deployment)
    result = triage("models", "list", *ENV)
    assert result.code == 0
    assert model.model_id in result.out and model.revision[:12] in result.out


def test_a_registered_model_is_reported_once_it_is_mirrored(triage, deployment):
    model = registered(deployment)
    arguments = (model.model_id, "--revision", model.revision, "--task", "product")
    assert triage("models", "register", *arguments, "--json", *ENV).json == json.loads(model.model_dump_json())


def test_a_model_whose_files_are_refused_is_not_registered_in_silence(triage, deployment):
    model = registered(deployment, bundle=None, failure="BundleUnsafeError: pickles", state="registered")
    arguments = (model.model_id, "--revision", model.revision, "--task", "issue")
    result = triage("models", "register", *arguments, *ENV)
    assert (result.code, result.out) == (1, "")
    assert "is registered for product" in result.err


def test_a_branch_is_no_revision(triage, deployment):
    result = triage("models", "register", "acme/model", "--revision", "main", "--task", "product", *ENV)
    assert result.code == 1
    assert "revision" in result.err


def test_a_mirrored_model_can_be_activated_and_retired(triage, deployment):
    model = registered(deployment, state="registered", activated_at=None)
    named = (model.model_id, "--revision", model.revision, "--json", *ENV)
    activated = triage("models", "activate", *named).json
    assert activated["state"] == "champion" and activated["activated_at"]
    assert triage("models", "retire", *named).json["state"] == "retired"


def test_a_model_that_is_not_mirrored_cannot_be_activated(triage, deployment):
    model = registered(deployment, state="registered", bundle=None, failure="BundleCorruptError: model.onnx")
    result = triage("models", "activate", model.model_id, "--revision", model.revision, *ENV)
    assert result.code == 1
    assert "BundleCorruptError: model.onnx" in result.err


@pytest.mark.parametrize("verb", ["activate", "retire"])
def test_a_model_that_nobody_registered_is_not_found(triage, deployment, verb):
    result = triage("models", verb, "acme/none", "--revision", any_revision(), *ENV)
    assert "acme/none" in result.err
    assert result.code == 3


# strategy


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


def test_the_arm_of_each_subject_can_be_asked(triage, deployment, tmp_path):
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


def test_the_shadows_of_each_subject_are_told_with_its_arm(triage, deployment, tmp_path):
    strategy = in_force(deployment, any_strategy(shadows={"next": 5_000}))
    file = tmp_path / "subjects"
    file.write_text("\n".join(f"c-{number}" for number in range(20)))
    dealt = triage("strategy", "assign", "product", "--subjects", file, "--json", *ENV).json["assignments"]
    assert {assignment["arm"] for assignment in dealt} == {"champion"}
    told = {a["subject"]: [(shadow["arm"], shadow["bucket"]) for shadow in a["shadows"]] for a in dealt}
    assert told == {s: [(a.arm.name, a.bucket) for a in sample(strategy, s)] for s in told}
    assert 0 < sum(map(bool, told.values())) < len(told)


def test_no_arm_is_told_without_a_strategy_or_without_a_text(triage, deployment, tmp_path):
    file = tmp_path / "subjects"
    file.write_bytes(b"\xff")
    assert triage("strategy", "assign", "product", "--subjects", file, *ENV).code == 3
    in_force(deployment, any_strategy())
    result = triage("strategy", "assign", "product", "--subjects", file, *ENV)
    assert result.code == 2
    assert "UTF-8" in result.err


def test_a_strategy_replaces_the_version_that_its_author_saw(triage, deployment, tmp_path):
    registered(deployment, model_id=any_arm().model_id, revision=any_arm().revision)
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy().model_dump_json())
    assert triage("strategy", "set", "product", file, "--json", *ENV).json["version"] == 1
    assert triage("strategy", "set", "product", file, "--json", *ENV).json["version"] == 2
    result = triage("strategy", "set", "product", file, "--replaces", 1, *ENV)
    assert result.code == 1
    assert "not at version 1 any more" in result.err


def test_no_version_is_negative(triage, deployment, tmp_path):
    registered(deployment, model_id=any_arm().model_id, revision=any_arm().revision)
    file = tmp_path / "strategy.json"
    file.write_text(any_strategy().model_dump_json())
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
        (b"{", "document: Invalid JSON"),
        (b"\xff", "document: Invalid JSON"),
        (b"[]", "document: Input should be an object"),
        (b"{}", "arms: Field required"),
        (b'{"shadow": 1}', "shadow: Extra inputs are not permitted"),
        (any_strategy().model_dump_json().replace("10000", "9999").encode(), "shares sum to 9999, not 10000"),
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


def test_a_strategy_that_somebody_broke_hides_no_other(triage, deployment):
    deployment.table(MODEL_STRATEGY).put({"task": "product", "entry": "CURRENT", "version": 1})
    assert triage("strategy", "show", *ENV).code in {0, 1}


# parked


def test_parked_complaints_are_listed(triage, deployment):
    parked(deployment)
    (item,) = triage("parked", "list", "--json", *ENV).json
    assert (item["complaint_id"], item["triage_attempts"]) == ("8123456", 1)
    assert "8123456" in triage("parked", "list", *ENV).out


def test_attempts_are_whole_numbers(triage, deployment):
    parked(deployment)
    (item,) = triage("parked", "list", "--json", *ENV).json
    assert isinstance(item["triage_attempts"], int)


def test_a_parked_complaint_starts_again_under_a_new_name(triage, deployment):
    parked(deployment)
    assert "8123456 started again" in triage("parked", "replay", "8123456", *ENV).out
    (execution,) = deployment.session.client("stepfunctions").list_executions(stateMachineArn=MACHINE)["executions"]
    assert execution["name"].startswith("8123456-")
    assert not list(deployment.outbox().parked())


def test_a_replayed_complaint_is_reported_no_longer(triage, deployment):
    parked(deployment, "1")
    parked(deployment, "2")
    sqs, queue = deployment.session.client("sqs"), deployment.name("parked-queue")
    for complaint_id in ("1", "2"):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"complaint_id": complaint_id, "attempts": 5}))
    triage("parked", "replay", "1", *ENV)
    attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=attributes)["Attributes"]
    assert sum(map(int, left.values())) == 1


def test_all_parked_complaints_start_again_where_none_is_named(triage, deployment):
    parked(deployment, "1")
    parked(deployment, "2")
    assert triage("parked", "replay", *ENV).code == 0
    assert not list(deployment.outbox().parked())


def test_a_complaint_that_is_not_parked_is_not_found(triage, deployment):
    result = triage("parked", "replay", "8123456", *ENV)
    assert result.code == 3
    assert "is not parked" in result.err


# show, status


def test_a_story_is_told_without_its_narrative(triage, deployment):
    model = any_model_reference()
    deployment.complaints.put(any_item(received_at="2026-03-02", customer_id="ann"))
    for entry in (any_selection(models=(model,)), any_prediction(model=model), any_allocation()):
        deployment.story.put(entry)
    result = triage("show", "8123456", "--json", *ENV)
    story = result.json
    assert story["received_at"] == "2026-03-02"
    assert story["selection"]["models"][0]["model_id"] == model.model_id
    assert [prediction["label"] for prediction in story["predictions"]] == ["Mortgage"]
    assert story["allocation"]["product_team"] == "mortgage"
    assert any_item()["narrative"] not in result.out
    assert "narrative" not in story


def test_shadows_of_a_story_are_marked_and_apart_from_what_answered(triage, deployment):
    said, silent = (any_model_reference(model_id=f"acme/{arm}", arm=arm, bucket=7, shadow=True) for arm in ("b", "c"))
    failure = FailureEntry(
        complaint_id="8123456",
        entry=FailureEntry.key(silent),
        code_version="test",
        model=silent,
        failed_version=silent.version,
        error="Sandbox.Timedout",
        failed_at="2026-03-02T09:31:00.000Z",
    )
    answering = any_model_reference()
    predictions = (any_prediction(model=answering), any_prediction(model=said))
    for entry in (any_selection(models=(answering,), shadows=(said, silent)), *predictions, failure):
        deployment.story.put(entry)
    story = triage("show", "8123456", "--json", *ENV).json
    assert sorted(prediction["model"]["shadow"] for prediction in story["predictions"]) == [False, True]
    assert [failed["error"] for failed in story["failed"]] == ["Sandbox.Timedout"]
    told = triage("show", "8123456", *ENV).out
    assert "b (shadow)" in told and "c (shadow)" in told and "Sandbox.Timedout" in told


def test_models_that_failed_are_shown_whether_they_were_to_answer_or_shadows(triage, deployment):
    models = (
        any_model_reference(model_id="acme/b", arm="b", stand_in=any_model_reference()),
        any_model_reference(model_id="acme/c", arm="c", shadow=True),
    )
    for model, error in zip(models, ("ModelFailedError", "Sandbox.Timedout"), strict=True):
        deployment.story.put(
            FailureEntry(
                complaint_id="8123456",
                entry=FailureEntry.key(model),
                code_version="test",
                model=model,
                failed_version=model.version,
                error=error,
                failed_at="2026-03-02T09:31:00.000Z",
            )
        )
    story = triage("show", "8123456", "--json", *ENV).json
    assert {(f["failed_version"], f["error"]) for f in story["failed"]} == {
        (models[0].version, "ModelFailedError"),
        (models[1].version, "Sandbox.Timedout"),
    }
    told = triage("show", "8123456", *ENV).out
    assert told.count("model failed") == 2
    assert all(said in told for said in ("ModelFailedError", "Sandbox.Timedout", "c (shadow)"))


def test_a_complaint_that_waits_has_an_empty_story(triage, deployment):
    deployment.complaints.put(any_item())
    story = triage("show", "8123456", "--json", *ENV).json
    assert (story["selection"], story["predictions"], story["allocation"]) == (None, [], None)
    assert "not started" in triage("show", "8123456", *ENV).out


def test_a_story_outlives_its_complaint(triage, deployment):
    deployment.story.put(any_allocation())
    story = triage("show", "8123456", "--json", *ENV).json
    assert (story["triage_state"], story["allocation"]["route"]) == (None, "auto")
    assert "mortgage" in triage("show", "8123456", *ENV).out


def test_a_complaint_that_nobody_put_is_not_found(triage, deployment):
    result = triage("show", "none", *ENV)
    assert result.code == 3
    assert "no complaint 'none' in dev" in result.err


@pytest.mark.parametrize("complaint_id", ["[a]8123456", "[/a]"])
def test_an_id_in_brackets_is_shown_as_it_is(triage, deployment, complaint_id):
    deployment.complaints.put(any_item(complaint_id=complaint_id))
    assert complaint_id in triage("show", complaint_id, *ENV).out


def test_the_status_tells_what_is_registered_parked_and_allocated_last(triage, deployment):
    registered(deployment)
    parked(deployment, "1")
    deployment.story.put(any_allocation(complaint_id="2"))
    found = triage("status", "--json", *ENV).json
    assert found["environment"] == "dev"
    assert [model["model_id"] for model in found["models"]] == ["acme/model"]
    assert (found["parked"], found["latest"]) == (["1"], ["2"])
    told = triage("status", *ENV)
    assert "Allocated last: 2" in told.out


def test_what_was_allocated_last_is_the_newest_of_every_team(deployment):
    for minute, (complaint_id, team) in enumerate([("1", "mortgage"), ("2", MANUAL_TEAM), ("3", "mortgage")]):
        moment = f"2026-03-02T09:{minute:02}:00.000Z"
        deployment.story.put(any_allocation(complaint_id=complaint_id, product_team=team, allocated_at=moment))
    assert latest(deployment, 2) == ["3", "2"]


# Deployments and exit codes


def test_an_environment_that_nobody_deployed_says_how(triage, aws):
    result = triage("status", *ENV)
    assert result.code == 4
    assert "run `make deploy ENVIRONMENT=dev`" in result.err


def test_without_credentials_there_is_no_deployment_to_talk_to(triage, no_credentials):
    result = triage("models", "list", *ENV)
    assert result.code == 4
    assert "dev cannot be asked" in result.err


def test_an_embedded_aws_that_does_not_run_says_how_to_start_it(triage, tmp_path):
    result = triage("status", "--state", tmp_path / "state")
    assert result.code == 4
    assert "triage up" in result.err


def test_a_refusal_of_aws_is_a_failure_without_a_trace(triage, deployment):
    deployment.session.client("dynamodb").delete_table(TableName="model_info")
    result = triage("models", "list", *ENV)
    assert result.code == 1
    assert "AWS refused or did not answer" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("folder", ["[draft]", "[/a]"])
def test_an_error_names_a_file_as_it_is_called(triage, deployment, tmp_path, folder):
    file = tmp_path / folder / "strategy.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert f"{folder}/strategy.json is not a strategy" in triage("strategy", "set", "product", file, *ENV).err


@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("status", "--env", "staging"),
        ("models", "register", "acme/model", "--task", "product"),
        ("submit", "complaints.csv", "--limit", "0"),
        ("unknown",),
    ],
)
def test_wrong_usage_ends_before_anything_is_asked(triage, arguments):
    assert triage(*arguments).code == 2


@pytest.mark.parametrize("arguments", [("--help",), ("models", "--help"), ("strategy", "set", "--help")])
def test_help_is_no_failure(triage, arguments):
    result = triage(*arguments)
    assert result.code == 0
    assert "Usage:" in result.out


def test_the_help_tells_the_exit_codes(triage):
    told = triage("--help").out
    for code, meaning in ((0, "done"), (1, "failed"), (2, "wrong usage"), (3, "not found"), (4, "no deployment")):
        assert f"{code} {meaning}" in told


def test_what_people_read_goes_where_it_disturbs_no_machine(triage, deployment, tmp_path):
    """Progress and errors on standard error, and nothing but JSON on standard output."""
    result = triage("submit", export(tmp_path, any_item()), "--json", *ENV)
    assert "Submitting" in result.err
    assert result.json


# feedback


@pytest.fixture
def applied(deployment, monkeypatch):
    """Whatever is handed in has its outcome at the next look, as if the function were there."""
    put = deployment.story.__class__.put_if_absent

    def put_and_apply(table, item):
        done = put(table, item)
        if done and isinstance(item, FeedbackRow):
            outcome = {"outcome": "refused", "reason": "look again"} if item.version > 1 else {"outcome": "applied"}
            table.put(item.model_copy(update={**outcome, "made_version": item.version + 1}))
        return done

    monkeypatch.setattr(deployment.story.__class__, "put_if_absent", put_and_apply)
    deployment.story.put(any_allocation(product="Mortgage"))


@pytest.mark.usefixtures("applied")
def test_feedback_is_handed_in_by_the_operator_and_waited_for(triage, deployment):
    options = ("--product", "Credit card", "--blind", "--stratum", "random", "--id", "f-1")
    row = triage("feedback", "8123456", "reallocate", *options, "--json", *ENV).json
    assert (row["by"], row["mode"], row["stratum"], row["made_version"]) == ("ann", "blind", "random", 2)
    assert deployment.story.get("FEEDBACK#8123456", "f-1")["product"] == "Credit card"


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reallocate", "--product", "Mortgages"), "did you mean 'Mortgage'?"),
        (("correct_issue", "--issue", "Nothing"), "is no issue of 'Mortgage'"),
        (("reallocate",), "reallocate needs a product"),
        (("shout",), "kind: Input should be 'confirm'"),
    ],
    ids=str,
)
def test_feedback_that_names_no_label_is_refused_before_it_is_handed_in(triage, deployment, arguments, message):
    result = triage("feedback", "8123456", *arguments, *ENV)
    assert result.code == 2
    assert message in result.err
    assert not list(deployment.story.query("FEEDBACK#8123456"))


@pytest.mark.usefixtures("applied")
def test_refused_feedback_ends_with_its_reason_and_is_shown(triage):
    result = triage("feedback", "8123456", "confirm", "--version", 2, "--id", "f-2", *ENV)
    assert result.code == 1
    assert "f-2 was refused: look again" in result.err
    assert "refused f-2" in triage("show", "8123456", *ENV).out


def test_feedback_on_a_complaint_without_allocation_is_not_found(triage, deployment):
    assert triage("feedback", "8123456", "confirm", *ENV).code == 3


HEADER = "complaint_id,kind,product,issue,role,mode,stratum,inclusion,at,version,feedback_id\n"
MOVED = "8123456,reallocate,Credit card,,analyst,blind,random,0.05,2026-03-02T10:00:00Z,,\n"
CLEARED = "8123456,clear_vulnerable,,,analyst,blind,random,0.05,2026-03-02T10:00:30Z,,\n"
ISSUE = next(i for i in load_taxonomy().issues_of("Credit card") if i not in load_taxonomy().issues_of("Mortgage"))


@pytest.fixture
def statements(tmp_path):
    def write(*rows, header=HEADER):
        file = tmp_path / "statements.csv"
        file.write_text(header + "".join(rows))
        return file

    return write


@pytest.mark.usefixtures("applied")
def test_a_file_is_handed_in_row_by_row_and_again_changes_nothing(triage, deployment, statements):
    file = statements(MOVED, CLEARED.replace(",,\n", ",1,f-2\n"))
    results = [triage("feedback", "--file", file, "--json", *ENV) for _ in range(2)]
    assert [result.code for result in results] == [0, 0]
    assert results[0].json == results[1].json
    assert [(o["row"], o["outcome"], o["made_version"]) for o in results[0].json] == [
        (1, "applied", 2),
        (2, "applied", 2),
    ]
    rows = {row["kind"]: row for row in deployment.story.query("FEEDBACK#8123456")}
    assert (rows["reallocate"]["by"], float(rows["reallocate"]["inclusion"])) == ("ann", 0.05)
    assert (rows["reallocate"]["version"], rows["clear_vulnerable"]["entry"]) == (1, "f-2")


@pytest.mark.usefixtures("applied")
def test_rows_that_state_no_version_are_about_what_the_rows_before_them_make(triage, deployment, statements):
    issue = f'8123456,correct_issue,,"{ISSUE}",analyst,assisted,,,2026-03-02T10:00:40Z,,\n'
    triage("feedback", "--file", statements(MOVED, CLEARED, issue), *ENV)
    rows = {row["kind"]: row["version"] for row in deployment.story.query("FEEDBACK#8123456")}
    assert rows == {"reallocate": 1, "clear_vulnerable": 2, "correct_issue": 3}


@pytest.mark.usefixtures("applied")
def test_refused_rows_of_a_file_are_a_failure_with_their_reasons(triage, statements):
    result = triage("feedback", "--file", statements(MOVED, CLEARED), *ENV)
    assert result.code == 1
    assert "of 2 rows 1 were refused" in result.err
    assert "applied" in result.out and "look again" in result.out


def test_rows_that_nothing_applies_are_a_failure(triage, deployment, statements):
    deployment.story.put(any_allocation(product="Mortgage"))
    result = triage("feedback", "--file", statements(MOVED), "--timeout", 0.1, *ENV)
    assert result.code == 1
    assert "1 not applied within 0.1 s" in result.err


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (MOVED.replace("Credit card", "Credit cards"), "row 2, column 'product': "),
        (MOVED.replace("Credit card,", "Mortgage,Nothing"), "row 2, column 'issue': 'Nothing' is no issue"),
        (MOVED.replace("reallocate", "shout"), "row 2, column 'kind': Input should be"),
        (MOVED.replace("0.05", "5 %"), "row 2, column 'inclusion': "),
        (MOVED.replace("reallocate,Credit card", "confirm,"), "row 2, column 'kind': Value error, who did not see"),
        (MOVED.replace("8123456", "unknown"), "row 2, column 'complaint_id': unknown has no allocation"),
        (MOVED.replace("8123456", ""), "row 2, column 'complaint_id': "),
        (MOVED.replace("analyst", ""), "row 2, column 'role': "),
        (CLEARED, "row 2, column 'feedback_id': row 1 has the same"),
        ("8123456,confirm\n", "row 2, column 'kind': the row has 2 values for 11 columns"),
    ],
    ids=str,
)
def test_one_wrong_row_and_nothing_of_the_file_is_handed_in(triage, deployment, statements, row, problem):
    result = triage("feedback", "--file", statements(CLEARED, row, MOVED), *ENV)
    assert result.code == 2
    assert problem in result.err
    assert "1 rows of" in result.err and "nothing was handed in" in result.err
    assert not list(deployment.story.query("FEEDBACK#8123456"))


@pytest.mark.usefixtures("applied")
def test_every_wrong_row_is_told_at_once(triage, statements):
    """Also where some are no statements and others no labels."""
    rows = (MOVED.replace("blind", "deaf"), CLEARED, MOVED.replace("Credit card", "Nothing").replace(",0.05", ",0.06"))
    result = triage("feedback", "--file", statements(*rows), *ENV)
    assert "row 1, column 'mode'" in result.err and "row 3, column 'product'" in result.err
    assert "2 rows of" in result.err


@pytest.mark.parametrize("content", ["", "complaint_id,colour\n", "kind,kind\n", 'kind\n"open\n'])
def test_what_is_no_table_of_statements_is_refused(triage, deployment, statements, content):
    result = triage("feedback", "--file", statements(header=content), *ENV)
    assert result.code == 2
    assert "there may be: feedback_id, complaint_id, kind" in result.err or "is no CSV" in result.err


@pytest.mark.parametrize("arguments", [(), ("8123456",), ("--blind",)], ids=str)
def test_feedback_is_about_a_complaint_or_in_a_file(triage, deployment, arguments):
    result = triage("feedback", *arguments, *ENV)
    assert result.code == 2
    assert "name COMPLAINT_ID and KIND, or hand in a --file" in result.err


@pytest.mark.parametrize("argument", [("8123456", "confirm"), ("--blind",), ("--inclusion", "0.1")], ids=str)
def test_a_file_speaks_for_itself(triage, deployment, statements, argument):
    result = triage("feedback", *argument, "--file", statements(MOVED), *ENV)
    assert result.code == 2
    assert "leave out: " in result.err


def test_a_story_shows_what_was_said_and_what_it_replaced_in_the_order_of_time(triage, deployment):
    was, said = any_allocation(), any_feedback(kind="reallocate", product="Credit card")
    filed = {"complaint_id": "8123456", "code_version": "test"}
    moved = was.model_copy(update={"product_team": "credit-card", "version": 2, "decided_by": "person"})
    now = "2026-03-02T10:00:01.000Z"
    for entry in (
        moved,
        SupersededEntry(**filed, entry=SupersededEntry.key(1), superseded_at=now, allocation=was),
        FeedbackEntry(
            **filed,
            entry=FeedbackEntry.key(2),
            made_version=2,
            applied_at=now,
            labelled_on=now[:10],
            labels={"product": "Credit card"},
            feedback=said,
        ),
    ):
        deployment.story.put(entry)
    shown = triage("show", "8123456", *ENV).out
    assert "2, decided by a person" in shown
    assert shown.index("version 1: ") < shown.index("reallocate Credit card (analyst, assisted")
