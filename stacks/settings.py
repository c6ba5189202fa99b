"""The settings of each environment: every difference between them, and nothing else."""

from dataclasses import dataclass, replace
from typing import Literal

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

from triage.audit.chain import KEPT_LONGER_DAYS


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment. A function gets each setting whose name is a field of its `Environment`.

    protected: whether tables and the stateful stack refuse to be deleted.
    packages: `built` for AWS, as layers and an image, or `host` for the libraries of the machine that runs functions.
    cli_credentials: whether the caller's own rights deploy, instead of the roles of `cdk bootstrap`.
    https_only: whether buckets, queues and topics refuse plain HTTP.
    hub_token_secret: the name of the secret with the Hub's token; None where repositories are public.
    hf_home: where the Hub's client keeps its files; None for the home folder of whoever runs the functions.
    map_concurrency: how many models of one complaint are asked at a time.
    inference_concurrency, shadow_concurrency, explanation_concurrency: how many functions of one engine run at a time,
        so that a burst of inference leaves some of the account's concurrency to the control functions, and shadows and
        explanations some to triage. None sets no bound. A bound is taken from the account's concurrency, of which
        Lambda keeps 100 free: a new account has 10 and can reserve none.
    loaded_models: how many models a warm inference function keeps, while their files are no larger together than
        loaded_megabytes. `triage.inference.memory` says what they need in memory.
    sweep_every: how often the sweeper reads the index of started complaints, and a slice of `raw_complaints`.
    sweep_all_every: how long it takes to read all of `raw_complaints`, slice by slice, and all records that may not be
        sealed.
    verify_all_every: how long it takes to verify all records against their chains, slice by slice.
    stale_after: how long an execution may take before the sweeper looks at it.
    max_attempts: how many executions a complaint gets before it is parked.
    promote_every: how often challengers are judged, and so how soon a broken one is rolled back.
    audit_share: the probability with which a complaint is drawn for labelling. Labels of others never promote a model.
    daily_complaints: whether complaints arrive every day, so that a day without any is alarming.
    second_approver: whether another person has to approve a new champion.
    empties_buckets: whether the objects of buckets go when their stack is deleted, by a function of the CDK that the
        embedded AWS cannot run. AWS deletes no bucket with objects.
    second_factor: whether people sign in with a second factor before they take a role of this application. IAM sees it
        in sessions of IAM users alone. Where people come from an identity provider, it asks for the factor instead.
    permissions_boundary: the ARN of the policy that bounds every role; None where the account has none.
    anchor_mode: how S3 Object Lock keeps the anchors of chains as long as the chains: `COMPLIANCE` against everybody,
        `GOVERNANCE` against all without a right of their own, or None, so that the bucket can be deleted.
    metric_math: whether alarms may fill what was not counted with noughts. The embedded AWS has no metric math.
    trail: whether CloudTrail records who touches narratives. The embedded AWS has no CloudTrail.
    trail_management: whether the trail also records who changes resources. AWS charges for each copy of these events
        but the first one of an account.
    """

    environment: str
    region: str
    removal_policy: RemovalPolicy
    protected: bool
    retention_days: int
    log_retention: RetentionDays
    packages: Literal["built", "host"]
    cli_credentials: bool
    https_only: bool
    hub_endpoint: str
    hub_token_secret: str | None
    hf_home: str | None
    map_concurrency: int
    inference_concurrency: int | None
    shadow_concurrency: int | None
    explanation_concurrency: int | None
    loaded_models: int
    loaded_megabytes: int
    sweep_every: Duration
    sweep_all_every: Duration
    verify_all_every: Duration
    stale_after: Duration
    max_attempts: int
    promote_every: Duration
    audit_share: float
    daily_complaints: bool
    second_approver: bool
    empties_buckets: bool
    second_factor: bool
    permissions_boundary: str | None
    anchor_mode: Literal["COMPLIANCE", "GOVERNANCE"] | None
    metric_math: bool
    trail: bool
    trail_management: bool

    @property
    def chain_retention(self) -> Duration:
        """How long the chain of a complaint is kept."""
        return Duration.days(self.retention_days + KEPT_LONGER_DAYS)

    @property
    def check_role(self) -> str:
        """How CloudFormation begins the name of the role with which GitHub's jobs check a deployment."""
        return f"Complaints-{self.environment}-Delivery-GitHubCheck"

    @property
    def trail_name(self) -> str:
        """The trail's fixed name, which the policies of its bucket and key state before the trail exists."""
        return f"complaints-triage-{self.environment}"

    @property
    def metrics_namespace(self) -> str:
        """Where our functions' metrics are. Two environments of one account would raise each other's alarms."""
        return f"ComplaintsTriage/{self.environment}"

    @property
    def event_source(self) -> str:
        """The `source` of our events, which tells environments apart where their buses are joined."""
        return f"complaints-triage.{self.environment}"

    @property
    def vended_logs(self) -> str:
        """Where state machines log. AWS lets its services log below this prefix without a line in an account's policy.

        That policy has room for 5,120 characters, and Step Functions adds every other log group of a state machine.
        """
        return f"/aws/vendedlogs/states/complaints-triage-{self.environment}"

    @property
    def parameter_path(self) -> str:
        """Below it, names that people and other systems need are published as SSM parameters."""
        return f"/complaints-triage/{self.environment}"


THREE_YEARS = 3 * 365

DEV = Settings(
    environment="dev",
    region="eu-west-2",
    removal_policy=RemovalPolicy.DESTROY,
    protected=False,
    retention_days=90,
    log_retention=RetentionDays.ONE_MONTH,
    packages="built",
    cli_credentials=False,
    https_only=True,
    hub_endpoint="https://huggingface.co",
    hub_token_secret=None,
    hf_home="/tmp/huggingface",
    map_concurrency=5,
    inference_concurrency=None,
    shadow_concurrency=None,
    explanation_concurrency=None,
    loaded_models=6,
    loaded_megabytes=600,
    sweep_every=Duration.minutes(5),
    sweep_all_every=Duration.days(1),
    verify_all_every=Duration.days(28),
    stale_after=Duration.minutes(10),
    max_attempts=5,
    promote_every=Duration.minutes(5),
    audit_share=0.02,
    daily_complaints=False,
    second_approver=False,
    empties_buckets=True,
    second_factor=True,
    permissions_boundary=None,
    anchor_mode=None,
    metric_math=True,
    trail=True,
    trail_management=False,
)
PROD = replace(
    DEV,
    environment="prod",
    removal_policy=RemovalPolicy.RETAIN,
    protected=True,
    retention_days=THREE_YEARS,
    log_retention=RetentionDays.ONE_YEAR,
    map_concurrency=10,
    inference_concurrency=50,
    shadow_concurrency=10,
    daily_complaints=True,
    empties_buckets=False,
    second_approver=True,
    anchor_mode="COMPLIANCE",
    trail_management=True,
    explanation_concurrency=5,
)
LOCAL = replace(
    DEV,
    environment="local",
    region="us-east-1",
    retention_days=30,
    packages="host",
    cli_credentials=True,
    https_only=False,
    hub_endpoint="http://127.0.0.1:8090",
    hub_token_secret="complaints-triage/local/hub-token",
    hf_home=None,
    map_concurrency=3,
    inference_concurrency=8,
    shadow_concurrency=1,
    explanation_concurrency=1,
    sweep_every=Duration.minutes(1),
    sweep_all_every=Duration.minutes(1),
    verify_all_every=Duration.hours(1),
    stale_after=Duration.seconds(90),
    promote_every=Duration.minutes(1),
    # A demonstration has few complaints, so each of them may be labelled.
    audit_share=1.0,
    empties_buckets=False,
    second_factor=False,
    anchor_mode="GOVERNANCE",
    metric_math=False,
    trail=False,
)
SETTINGS = {settings.environment: settings for settings in (LOCAL, DEV, PROD)}
