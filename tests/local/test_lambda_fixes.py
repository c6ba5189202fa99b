import json
import logging
import threading
from typing import Any

import pytest
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from local.lambda_fixes import REPLY, FixNotApplicableError, bounded, counted, embedded, opened, require, stored

FUNCTION = {"config": {"FunctionArn": "arn:one", "Version": "1"}}
OTHER_VERSION = {"config": {"FunctionArn": "arn:one", "Version": "2"}}


def test_a_plain_result_stays_as_it_is():
    result = {"body": {"label": "card"}, "log": "line"}
    assert opened(result) is result


def test_an_exception_becomes_the_error_that_a_state_machine_can_name():
    error = {"errorType": "ModelFailedError", "errorMessage": "no"}
    assert opened({"body": {REPLY: {"error": error}}, "log": "line"}) == {"body": error, "log": "line", "error": True}


def test_a_served_reply_brings_its_own_log():
    assert opened({"body": {REPLY: {"result": 1, "log": "line"}}}) == {"body": 1, "log": "line"}


def test_a_fix_that_does_not_fit_says_what_to_do():
    with pytest.raises(FixNotApplicableError, match=r"install local/requirements\.txt"):
        require(False, "the worker")


class Worker:
    """An executor whose invocations wait until the test releases them."""

    def __init__(self) -> None:
        self.most = self.now = 0
        self.go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, function, event, request_id):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.go.wait(5)
        with self._lock:
            self.now -= 1
        return {"body": event}


def throttle(reason, message):
    return {"throttle": True, "body": {"message": message}}


def test_invocations_wait_for_one_of_a_few_workers():
    worker = Worker()
    execute = bounded(worker, throttle, limit=2, patience=5)
    threads = [threading.Thread(target=execute, args=(FUNCTION, {}, "id")) for _ in range(6)]
    for thread in threads:
        thread.start()
    worker.go.set()
    for thread in threads:
        thread.join()
    assert worker.most <= 2


def test_an_invocation_that_waits_too_long_is_throttled():
    worker = Worker()
    execute = bounded(worker, throttle, limit=1, patience=0.05)
    busy = threading.Thread(target=execute, args=(FUNCTION, {}, "id"))
    busy.start()
    assert execute(FUNCTION, {}, "id")["throttle"]
    worker.go.set()
    busy.join()


def test_every_version_has_workers_of_its_own():
    worker = Worker()
    execute = bounded(worker, throttle, limit=1, patience=0.05)
    busy = threading.Thread(target=execute, args=(FUNCTION, {}, "id"))
    busy.start()
    other = threading.Thread(target=execute, args=(OTHER_VERSION, {}, "id"))
    other.start()
    worker.go.set()
    busy.join()
    other.join()
    assert execute(FUNCTION, "event", "id") == {"body": "event"}


def line(capsys, *, dimensions):
    """Return the line that a function writes into its log for a metric."""
    capsys.readouterr()
    with single_metric(name="Refused", unit=MetricUnit.Count, value=2, namespace="Ours") as metric:
        for name, value in dimensions.items():
            metric.add_dimension(name, value)
    return capsys.readouterr().out.strip()


def test_a_metric_in_a_log_is_what_put_metric_data_takes(capsys):
    written = line(capsys, dimensions={"route": "auto"})
    ((namespace, (datum,)),) = embedded(["START", written, "END"])
    assert namespace == "Ours"
    assert (datum["MetricName"], datum["Unit"], datum["Values"]) == ("Refused", "Count", [2.0])
    assert datum["Dimensions"] == [{"Name": "route", "Value": "auto"}]
    assert datum["Timestamp"] == json.loads(written)["_aws"]["Timestamp"] / 1000


def test_a_metric_without_dimensions_is_read(capsys):
    ((_, (datum,)),) = embedded([line(capsys, dimensions={})])
    assert datum["Dimensions"] == []


def test_a_line_that_only_looks_like_a_metric_is_ignored():
    assert not [
        *embedded(['{"CloudWatchMetrics"', '{"message": "about \\"CloudWatchMetrics\\""}', "CloudWatchMetrics"])
    ]


def test_logs_are_written_as_before_and_their_metrics_counted(capsys):
    written, put = [], []
    emit = counted(lambda *given, **named: written.append((given, named)), lambda *given: put.append(given))
    log_text = line(capsys, dimensions={})
    emit({}, "7", log_text, False, 5, log_source=None)
    assert written == [(({}, "7", log_text, False, 5), {"log_source": None})]
    assert [namespace for namespace, _ in put] == ["Ours"]


def test_a_metric_that_cannot_be_counted_fails_no_invocation(caplog):
    broken = json.dumps({"_aws": {"CloudWatchMetrics": [{"Namespace": "Ours"}]}})
    with caplog.at_level(logging.ERROR):
        counted(lambda *given: None, lambda *given: None)({}, "7", broken)
    assert caplog.messages == ["the metrics of a log were not counted"]


FAILED: tuple[Any, ...] = (
    {"config": {"FunctionArn": "arn:one"}},
    [{"eventName": "INSERT"}],
    "arn:stream",
    {},
    "MaxRecordAgeExceeded",
)


def mapping(destination: str):
    return {"UUID": "m-1", "DestinationConfig": {"OnFailure": {"Destination": destination}}}


def test_records_that_could_not_be_delivered_are_stored_whole_in_the_bucket_of_their_mapping():
    sent: list[Any] = []
    put: list[Any] = []
    store = stored(lambda *arguments: sent.append(arguments), lambda *arguments: put.append(arguments))
    store(mapping("arn:aws:s3:::undelivered"), *FAILED)
    ((bucket, key, record),) = put
    assert (bucket, key.startswith("aws/lambda/m-1/"), sent) == ("undelivered", True, [])
    assert record["requestContext"] == {"functionArn": "arn:one", "condition": "MaxRecordAgeExceeded"}
    assert json.loads(record["payload"]) == {"Records": [{"eventName": "INSERT"}]}


def test_other_destinations_are_left_to_ministack():
    sent: list[Any] = []
    put: list[Any] = []
    store = stored(lambda *arguments: sent.append(arguments), lambda *arguments: put.append(arguments))
    failed = (mapping("arn:aws:sqs:us-east-1:000000000000:queue"), *FAILED)
    store(*failed)
    assert (sent, put) == ([failed], [])
