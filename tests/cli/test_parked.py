import json

from tests.cli.commands import ENV, MACHINE, parked


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
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"complaint_id": "1", "feedback_id": "f-1"}))
    triage("parked", "replay", "1", *ENV)
    attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=attributes)["Attributes"]
    assert sum(map(int, left.values())) == 2, "of the other complaint, and of feedback that is not put right"


def test_all_parked_complaints_start_again_where_none_is_named(triage, deployment):
    parked(deployment, "1")
    parked(deployment, "2")
    assert triage("parked", "replay", *ENV).code == 0
    assert not list(deployment.outbox().parked())


def test_a_complaint_that_is_not_parked_is_not_found(triage, deployment):
    result = triage("parked", "replay", "8123456", *ENV)
    assert result.code == 3
    assert "is not parked" in result.err
