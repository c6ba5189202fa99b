import pytest

from stacks.alarms import MEANINGS
from triage.metrics import Metric


@pytest.mark.parametrize("name", sorted(name for name in MEANINGS if isinstance(name, Metric)))
def test_what_should_not_be_raises_an_alarm(synthesis, name):
    """The alarm watches the metric that our functions write, which has no dimension."""
    alarm = synthesis.stateless.of_type("AWS::CloudWatch::Alarm")[f"Alarms/{name}"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (f"ComplaintsTriage/{synthesis.environment}", name)
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
