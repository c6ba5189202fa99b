import pytest
from ministack.services import cloudwatch

from local import alarm_fixes
from local.lambda_fixes import FixNotApplicableError

ALARM = {
    "AlarmName": "any",
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Dimensions": [{"Name": "FunctionName", "Value": "intake"}],
    "Statistic": "Sum",
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
}


@pytest.fixture
def states(monkeypatch):
    """What an alarm is set to by an error of this function."""
    monkeypatch.setattr(cloudwatch, "_evaluate_alarm", cloudwatch._evaluate_alarm)
    monkeypatch.setattr(cloudwatch, "_metrics", type(cloudwatch._metrics)())
    alarm_fixes.apply()

    def after_an_error_of(function: str) -> str:
        alarm = ALARM | {"StateValue": "INSUFFICIENT_DATA"}
        cloudwatch.record_metric("AWS/Lambda", "Errors", 1, dimensions={"FunctionName": function})
        cloudwatch._evaluate_alarm(alarm)
        return str(alarm["StateValue"])

    return after_an_error_of


def test_an_alarm_sees_the_metric_with_its_dimensions_alone(states):
    assert states("sweep") == "INSUFFICIENT_DATA"
    assert states("intake") == "ALARM"


def test_another_version_of_ministack_is_refused(monkeypatch):
    monkeypatch.setattr(cloudwatch, "_evaluate_alarm", lambda alarm: None)
    with pytest.raises(FixNotApplicableError, match="MiniStack's alarms"):
        alarm_fixes.apply()
