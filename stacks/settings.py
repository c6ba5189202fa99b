"""Every difference between environments, and nothing else."""

from dataclasses import dataclass, replace
from typing import Literal

from aws_cdk import Duration, RemovalPolicy
from aws_cdk.aws_logs import RetentionDays


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment.

    packages: `built` layers and image for AWS, or `host`: the libraries of the machine that runs the functions.
    cli_credentials: deploy with the caller's own rights instead of the roles of `cdk bootstrap`.
    https_only: whether buckets, queues and topics refuse plain HTTP.
    hub_home: where the Hub's client keeps its files, if not in the home of whoever runs the functions.
    sweep_all_every: how often the sweeper reads all of `raw_complaints`, besides its index every `sweep_every`.
    shadow_concurrency: how many shadows of one engine predict at a time, apart from what answers.
    promote_every: how often challengers are judged, and so within which time a broken one is rolled back.
    second_approver: a new champion is proposed by the engine or a person, and approved by another person.
    trail: whether CloudTrail records who touches narratives; the embedded AWS has none.
    explanation_concurrency: how many explanations of one engine are made at a time, apart from all the rest.
    loaded_models: how many models a warm inference function keeps, where their files are no larger together than
        loaded_megabytes; a session takes up to two and a half times the size of its files.
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
    hub_home: str | None
    map_concurrency: int
    inference_concurrency: int
    shadow_concurrency: int
    explanation_concurrency: int
    loaded_models: int
    loaded_megabytes: int
    sweep_every: Duration
    sweep_all_every: Duration
    stale_after: Duration
    max_attempts: int
    promote_every: Duration
    second_approver: bool
    trail: bool


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
    hub_home="/tmp/huggingface",
    map_concurrency=5,
    inference_concurrency=10,
    shadow_concurrency=2,
    explanation_concurrency=2,
    loaded_models=6,
    loaded_megabytes=600,
    sweep_every=Duration.minutes(5),
    sweep_all_every=Duration.days(1),
    stale_after=Duration.minutes(10),
    max_attempts=5,
    promote_every=Duration.minutes(5),
    second_approver=False,
    trail=True,
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
    second_approver=True,
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
    hub_home=None,
    map_concurrency=3,
    inference_concurrency=8,
    shadow_concurrency=1,
    explanation_concurrency=1,
    sweep_every=Duration.minutes(1),
    sweep_all_every=Duration.minutes(1),
    stale_after=Duration.seconds(90),
    promote_every=Duration.minutes(1),
    trail=False,
)
SETTINGS = {settings.environment: settings for settings in (LOCAL, DEV, PROD)}
