import pytest

from stacks.alarms import COUNTED


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_what_should_not_be_raises_an_alarm(synthesis, name):
    """On the metric as our functions write it: without a dimension."""
    alarm = synthesis.stateless.of_type("AWS::CloudWatch::Alarm")[f"Alarms/{name}"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("ComplaintsTriage", name)
    assert "Dimensions" not in alarm
    assert (alarm["Threshold"], alarm["Statistic"], alarm["EvaluationPeriods"]) == (1, "Sum", 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert [synthesis.readable(topic) for topic in alarm["AlarmActions"]] == ["Alarms/Topic"]


def test_holds_that_are_not_kept_raise_an_alarm(synthesis):
    alarm = synthesis.stateless.of_type("AWS::CloudWatch::Alarm")["Alarms/HoldsNotKept"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"]) == ("AWS/Lambda", "Errors", 1)
    (dimension,) = alarm["Dimensions"]
    assert synthesis.readable(dimension["Value"]) == "Audit/KeepHeld"
    assert [synthesis.readable(topic) for topic in alarm["AlarmActions"]] == ["Alarms/Topic"]
