"""Alarms that a person has to look at. All are announced on one topic."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aws_cdk import Duration, Fn, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data import Data
from stacks.findings import acknowledge_plain_http
from stacks.function import RuntimeFunction
from stacks.settings import Settings
from stacks.store import EVERY_OBJECT
from triage.metrics import Metric

COUNTED = {
    Metric.STRATEGY_REFUSED: "A strategy edited by hand is not followed: read the logs of select_models",
    Metric.REGISTRY_EDITED: "A row of model_info was edited by hand and put back: read the logs of the mirror",
    Metric.RECORD_ALTERED: "A record was rewritten or removed by hand; seal logs which: triage verify COMPLAINT",
    Metric.UNVERIFIED: "Records of a complaint are not what was sealed; seal logs which: triage verify COMPLAINT",
    Metric.SEALED_LATE: "The stream lost changes, which are sealed now: see whether it still invokes seal",
    Metric.SWEEP_FAILED: "A complaint is neither triaged nor parked: read the logs of the sweeper",
    Metric.FEEDBACK_FAILED: "Feedback has no outcome: read the logs of feedback, and put it again with a later `at`",
    Metric.SAMPLE_RATIO_MISMATCH: "The arms of a strategy receive other shares than intended: triage strategy evidence",
    Metric.EMPTY_ARM: "An arm that has a share answers nothing: triage strategy evidence",
    Metric.SERVED_NOT_INTENDED: "A version answers that the strategy does not name: triage strategy evidence",
}
"""What our functions count. A single occurrence raises the alarm."""

ENDED = {
    "ExecutionsFailed": "Executions ended without an allocation; the sweeper starts them again",
    "ExecutionsTimedOut": "Executions took longer than they may; the sweeper starts them again",
    "PromotionsFailed": "Evidence was not weighed, or a changed strategy is not in force: read the failed executions",
    "PromotionsTimedOut": "Challengers were not judged in time: read the executions that timed out",
    "ShadowsFailed": "Shadows predicted nothing, and no failure is recorded: read the failed executions",
    "ShadowsTimedOut": "Shadows predicted nothing in time, and no failure is recorded: ask for more concurrency",
    "ExplanationsTimedOut": "Explanations were not made in time: ask for more concurrency, and for them again",
}
"""How executions of state machines end badly."""

UNWATCHED = {
    "ExplanationsFailed": "Whoever asks for an explanation waits for it, and is told why it failed.",
    "FeedbackSilent": "Days without feedback are ordinary. Whoever hands it in waits for its outcome.",
    "MirrorSilent": "Models are registered rarely. Whoever registers one waits until it is mirrored.",
}
"""Alarms that there are not, with the reason. A test looks in the templates for everything else."""

FIVE_MINUTES = Duration.minutes(5)

MAY_LAG = {"Seal": Duration.hours(1)}
"""How old a change may be when a function gets it from its stream, which keeps it for a day."""

MAY_LAG_AT_MOST = Duration.minutes(30)
"""The same for every other function: Lambda drops a change after an hour."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What raises an alarm: each of `periods` in a row reaches the threshold or, if `below`, does not."""

    threshold: float = 1
    period: Duration = FIVE_MINUTES
    periods: int = 1
    below: bool = False
    missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING


ONCE = Watched()


class Alarms(Construct):
    """Subscribe to `topic`, published as the parameter `alarms-topic`.

    machines: each state machine, by the first word of its alarms.
    triggered: functions that streams and schedules invoke, so that nobody waits for their answers.
    awaited: functions that triage waits for.
    busy: functions whose streams have changes every day.
    shadows_start: the rule that starts shadows for an announced allocation.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data: Data,
        machines: Mapping[str, sfn.StateMachine],
        triggered: Iterable[RuntimeFunction],
        awaited: Iterable[RuntimeFunction],
        busy: Iterable[RuntimeFunction],
        shadows_start: events.Rule,
        settings: Settings,
    ) -> None:
        super().__init__(scope, construct_id)
        self._data = data
        self._settings = settings
        self.topic = self._topic()
        for metric, meaning in COUNTED.items():
            self._watch(metric.value, self._counted(metric), meaning)
        self._parked()
        self._undelivered()
        for name, machine in machines.items():
            for alarm, ending in (
                (f"{name}Failed", machine.metric_failed),
                (f"{name}TimedOut", machine.metric_timed_out),
            ):
                if alarm not in UNWATCHED:
                    self._watch(alarm, ending(), ENDED[alarm])
        for function in triggered:
            self._triggered(function)
        for function in awaited:
            self._throttled(function)
        # Where a schedule invokes it too, its invocations say nothing about its stream.
        for function in (function for function in busy if not function.schedules):
            silent = missing_is(settings.daily_complaints)
            self._silent(function, Watched(below=True, period=Duration.days(1), missing=silent))
        self._rule("ShadowsNotStarted", shadows_start, {"EventBusName": data.bus.event_bus_name})
        self._trail()

    def _topic(self) -> sns.Topic:
        key = self._data.keys["records"]
        topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=self._settings.https_only)
        acknowledge_plain_http(topic, "AwsSolutions-SNS3", self._settings)
        account = {"StringEquals": {"aws:SourceAccount": Stack.of(self).account}}
        cloudwatch_service = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=account)
        key.grant(cloudwatch_service, "kms:Decrypt", "kms:GenerateDataKey*")
        # Any policy of a topic replaces the default one, by which the account's own alarms may publish.
        topic.grant_publish(cloudwatch_service)
        return topic

    def _parked(self) -> None:
        """A message expires after 14 days and the complaint stays parked, so each sweep counts those as well."""
        parked = "Complaints that no attempt could allocate: triage parked list"
        self._queue("ComplaintsParked", self._data.parked, parked)
        # Between two sweeps there is no figure, and the alarm stays as it is.
        counted = Watched(missing=cloudwatch.TreatMissingData.IGNORE)
        self._watch(
            Metric.STILL_PARKED.value,
            self._counted(Metric.STILL_PARKED, statistic="Maximum"),
            "Complaints are parked, even where their messages have expired: triage parked list",
            counted,
        )

    def _queue(self, name: str, queue: sqs.Queue, meaning: str) -> None:
        """Watch a queue that people empty: a message that arrives, and one that soon expires."""
        self._watch(name, queue.metric_approximate_number_of_messages_visible(statistic="Maximum"), meaning)
        age = queue.metric_approximate_age_of_oldest_message(statistic="Maximum")
        ten_days = Watched(threshold=Duration.days(10).to_seconds())
        self._watch(f"{name}Expire", age, f"A message expires in four days. {meaning}", ten_days)

    def _undelivered(self) -> None:
        """Watch the queue of what AWS gave up on, and the rule that tells it of records of streams."""
        given_up = "AWS gave up on an invocation: triage undelivered list"
        self._queue("Undelivered", self._data.undelivered.queue, given_up)
        self._rule("UndeliveredNotAnnounced", self._data.undelivered.announce_objects(self), {})

    def _triggered(self, function: RuntimeFunction) -> None:
        """Watch a function that raises errors, falls behind its stream or is not invoked on its schedule."""
        name = function.node.id
        self._watch(f"{name}Errors", function.metric_errors(), f"{name} raised an error: read its log")
        self._throttled(function)
        if function.reads_stream:
            lag = MAY_LAG.get(name, MAY_LAG_AT_MOST)
            age = function.metric("IteratorAge", statistic="Maximum")
            meaning = f"{name} is late with the changes of its stream, which are lost in the end: read its log"
            self._watch(f"{name}Behind", age, meaning, Watched(threshold=lag.to_milliseconds()))
        if function.schedules:
            every = min(function.schedules.values(), key=lambda period: period.to_seconds())
            # One run may take as long as three pauses.
            self._silent(function, Watched(below=True, period=every, periods=4, missing=missing_is(alarming=True)))
        for rule in function.schedules:
            self._rule(f"{rule.node.id}NotRun", rule, {})

    def _throttled(self, function: RuntimeFunction) -> None:
        meaning = f"{function.node.id} is throttled for a quarter of an hour: ask for more concurrency"
        self._watch(f"{function.node.id}Throttled", function.metric_throttles(), meaning, Watched(periods=3))

    def _silent(self, function: RuntimeFunction, watched: Watched) -> None:
        meaning = f"{function.node.id} is not invoked: look at its schedule or its stream, and at its concurrency"
        self._watch(f"{function.node.id}Silent", function.metric_invocations(), meaning, watched)

    def _rule(self, name: str, rule: events.Rule, bus: Mapping[str, str]) -> None:
        """Watch a rule that cannot reach its target, or the queue of what is undelivered either.

        bus: the dimension of a bus other than the account's own.
        """
        # The reference to a rule of such a bus names the bus, too. Its ARN ends with the rule's name.
        dimensions = {**bus, "RuleName": Fn.select(1 + len(bus), Fn.split("/", rule.rule_arn))}
        for alarm, metric_name, meaning in (
            (name, "FailedInvocations", f"The rule {rule.node.id} may not invoke its target, or the target is gone"),
            (
                f"{name}AndLost",
                "InvocationsFailedToBeSentToDlq",
                f"What the rule {rule.node.id} could not deliver is not in the queue of undelivered events either: see "
                "whether the queue exists, and whether its policy and its key let EventBridge send",
            ),
        ):
            metric = cloudwatch.Metric(
                namespace="AWS/Events", metric_name=metric_name, statistic="Sum", dimensions_map=dimensions
            )
            self._watch(alarm, metric, meaning)

    def _trail(self) -> None:
        """CloudTrail puts a digest into the bucket every hour, also where nothing happened."""
        if self._data.trails is None:
            return
        puts = cloudwatch.Metric(
            namespace="AWS/S3",
            metric_name="PutRequests",
            statistic="Sum",
            dimensions_map={"BucketName": self._data.trails.bucket.bucket_name, "FilterId": EVERY_OBJECT},
        )
        meaning = "CloudTrail writes nothing: see whether the trail exists, logs, and may use its bucket and key"
        silent = missing_is(alarming=True)
        self._watch(
            "TrailSilent", puts, meaning, Watched(below=True, period=Duration.hours(1), periods=3, missing=silent)
        )

    def _counted(self, metric: Metric, statistic: str = "Sum") -> cloudwatch.Metric:
        """Return what our functions write, which has no dimension."""
        namespace = self._settings.metrics_namespace
        return cloudwatch.Metric(namespace=namespace, metric_name=metric.value, statistic=statistic)

    def _watch(self, name: str, metric: cloudwatch.Metric, meaning: str, watched: Watched = ONCE) -> None:
        operator = cloudwatch.ComparisonOperator
        counted: cloudwatch.IMetric = metric.with_(period=watched.period)
        if watched.missing == cloudwatch.TreatMissingData.BREACHING and self._settings.metric_math:
            # CloudWatch looks back several periods before it calls data missing, which are days where a period is one.
            metrics = {"counted": counted}
            counted = cloudwatch.MathExpression(
                expression="FILL(counted, 0)", using_metrics=metrics, period=watched.period
            )
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=counted,
            alarm_description=meaning,
            threshold=watched.threshold,
            evaluation_periods=watched.periods,
            comparison_operator=(
                operator.LESS_THAN_THRESHOLD if watched.below else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=watched.missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))


def missing_is(alarming: bool) -> cloudwatch.TreatMissingData:
    return cloudwatch.TreatMissingData.BREACHING if alarming else cloudwatch.TreatMissingData.NOT_BREACHING
