"""Alarms that a person has to look at. All are announced on one topic."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data import Data
from stacks.findings import acknowledge_plain_http
from stacks.settings import Settings
from triage.metrics import Metric

MEANINGS = {
    Metric.STRATEGY_REFUSED: "A strategy edited by hand is not followed: read the logs of select_models",
    Metric.REGISTRY_EDITED: "A row of model_info was edited by hand and put back: read the logs of the mirror",
    Metric.RECORD_ALTERED: "A record was rewritten or removed by hand; seal logs which: triage verify COMPLAINT",
    Metric.SWEEP_FAILED: "A complaint is neither triaged nor parked: read the logs of the sweeper",
    Metric.FEEDBACK_FAILED: "Feedback has no outcome: read the logs of feedback, and put it again with a later `at`",
    Metric.SAMPLE_RATIO_MISMATCH: "The arms of a strategy receive other shares than intended: triage strategy evidence",
    Metric.EMPTY_ARM: "An arm that has a share answers nothing: triage strategy evidence",
    Metric.SERVED_NOT_INTENDED: "A version answers that the strategy does not name: triage strategy evidence",
    "ComplaintsParked": "Complaints that no attempt could allocate: triage parked list",
    "ExecutionsFailed": "Executions ended without an allocation; the sweeper starts them again",
    "ExecutionsTimedOut": "Executions took longer than they may; the sweeper starts them again",
    "PromotionsFailed": "Evidence was not weighed, or a changed strategy is not in force: read the failed executions",
    "HoldsNotKept": "Held complaints may expire; keep_held tries again the next day: read its logs",
    "SealingBehind": "Changes of records are not sealed, and are lost after a day: read the logs of seal",
}
"""Each alarm, with what it means and where to look. Those named by a `Metric` count what our functions report."""

PERIOD = Duration.minutes(5)
THRESHOLDS = {"SealingBehind": Duration.hours(1).to_milliseconds()}
"""An alarm that is not named here is raised by a single occurrence."""


class Alarms(Construct):
    """Subscribe to `topic`, published as the parameter `alarms-topic`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data: Data,
        state_machine: sfn.StateMachine,
        promotion: sfn.StateMachine,
        seal: lambda_.Function,
        keep_held: lambda_.Function,
        settings: Settings,
    ) -> None:
        super().__init__(scope, construct_id)
        key = data.keys["records"]
        self.topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=settings.https_only)
        acknowledge_plain_http(self.topic, "AwsSolutions-SNS3", settings)
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=account)
        key.grant(cloudwatch_service, "kms:Decrypt", "kms:GenerateDataKey*")
        # Any policy of a topic replaces the default one, by which the account's own alarms may publish.
        self.topic.grant_publish(cloudwatch_service)
        metrics: dict[str, cloudwatch.Metric] = {
            **{
                name: cloudwatch.Metric(namespace=settings.metrics_namespace, metric_name=name, statistic="Sum")
                for name in MEANINGS
                if isinstance(name, Metric)
            },
            "ComplaintsParked": data.parked.metric_approximate_number_of_messages_visible(statistic="Maximum"),
            "ExecutionsFailed": state_machine.metric_failed(),
            "ExecutionsTimedOut": state_machine.metric_timed_out(),
            "PromotionsFailed": promotion.metric_failed(),
            "HoldsNotKept": keep_held.metric_errors(),
            "SealingBehind": seal.metric("IteratorAge", statistic="Maximum"),
        }
        for name, metric in metrics.items():
            alarm = metric.with_(period=PERIOD).create_alarm(
                self,
                name,
                alarm_description=MEANINGS[name],
                threshold=THRESHOLDS.get(name, 1),
                evaluation_periods=1,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
            alarm.add_alarm_action(actions.SnsAction(self.topic))
