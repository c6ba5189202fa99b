import json
import logging

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from local.embedded_metrics import counted, embedded


def line(capsys, *, dimensions):
    """As a function of ours writes it."""
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


def test_without_dimensions_it_is_a_metric_too(capsys):
    ((_, (datum,)),) = embedded([line(capsys, dimensions={})])
    assert datum["Dimensions"] == []


def test_what_only_looks_like_a_metric_is_left_alone():
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
