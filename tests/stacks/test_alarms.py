def test_a_strategy_that_is_not_followed_raises_an_alarm(synthesis):
    """On the metric as select_models writes it: without a dimension."""
    alarm = synthesis.stateless.of_type("AWS::CloudWatch::Alarm")["Alarms/StrategyRefused"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("ComplaintsTriage", "StrategyRefused")
    assert "Dimensions" not in alarm
    assert (alarm["Threshold"], alarm["Statistic"], alarm["EvaluationPeriods"]) == (1, "Sum", 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert [synthesis.readable(topic) for topic in alarm["AlarmActions"]] == ["Alarms/Topic"]
