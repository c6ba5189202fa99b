"""Finds out what would stop a deployment, before anything is changed. Every check reads and none writes.

A check is a function of clients and templates that returns a `Check`. One that may not read says which right it lacks
and how to go on, and does not pass: what nobody looked at may still stop the deployment.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli.templates import Stack, Templates

UNRESERVED = 100
"""Executions at a time that Lambda keeps for functions without a reservation; no reservation may go into them."""

GIB = 1024**3
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
COMMAND_SECONDS = 60.0


RIGHTS = (
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "cloudtrail:DescribeTrails",
    "cloudwatch:DescribeAlarms",
    "dynamodb:ListTables",
    "events:ListEventBuses",
    "events:ListRules",
    "iam:ListRoles",
    "kms:ListAliases",
    "kms:ListKeys",
    "lambda:GetAccountSettings",
    "lambda:GetFunctionConcurrency",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "s3:ListAllMyBuckets",
    "servicequotas:GetServiceQuota",
    "sqs:ListQueues",
    "ssm:DescribeParameters",
    "ssm:GetParameter",
    "states:ListStateMachines",
)
"""What the checks ask of an account, if the templates name resources of every type that can be named."""


@dataclass(frozen=True)
class Check:
    """ok: whether the deployment can go on. detail: what was found and, if it cannot, what to do."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Account:
    """The account that the session signs in to, and what is to be deployed there."""

    session: boto3.Session
    templates: Templates
    number: str

    @cached_property
    def ours(self) -> dict[str, set[str]]:
        """The physical names of what the stacks hold already, by type; none where they do not exist."""
        found: dict[str, set[str]] = {}
        cloudformation = self.session.client("cloudformation")
        for stack in self.templates.stacks:
            pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
            try:
                for page in pages:
                    for resource in page["StackResourceSummaries"]:
                        found.setdefault(resource["ResourceType"], set()).add(resource.get("PhysicalResourceId", ""))
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
        return found

    @property
    def our_names(self) -> set[str]:
        return set().union(*self.ours.values())


def checked(name: str, look: Callable[[], Check], *, instead: str) -> Check:
    """Return the result of a check, or a failed one if AWS does not let it look. instead: how to find out by hand."""
    try:
        return look()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in DENIED:
            return Check(name, False, f"not checked, {error.operation_name} is denied: allow it, or {instead}")
        return Check(name, False, f"not checked, {error.operation_name} failed with {code}: {instead}")
    except BotoCoreError as error:
        return Check(name, False, f"not checked, AWS did not answer ({error}): {instead}")


def credentials(session: boto3.Session) -> Check:
    """Whose account it is. Without credentials, AWS cannot be asked anything else."""
    name = "credentials"
    try:
        who = session.client("sts").get_caller_identity()
    except BotoCoreError as error:
        reason = str(error).rstrip(".")
        return Check(name, False, f"{reason}: sign in with `aws sso login`, or set AWS_PROFILE to a profile that works")
    except ClientError as error:
        return Check(
            name, False, f"AWS refuses them ({error.response['Error']['Code']}): sign in again, or change AWS_PROFILE"
        )
    return Check(name, True, f"account {who['Account']} as {who['Arn']}")


def region(templates: Templates, commands: Mapping[str, str], variables: Mapping[str, str]) -> Check:
    """The stacks state their region, so that the shell cannot move them. commands: where `triage --env` looks."""
    name, deployed = "region", templates.region
    expected = commands.get(templates.environment, deployed)
    if deployed != expected:
        return Check(
            name, False, f"the stacks go to {deployed}, and `triage` looks in {expected}: change cli/aws/deployment.py"
        )
    shell = variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION")
    beside = f"; the shell's {shell} does not matter" if shell and shell != deployed else ""
    return Check(name, True, f"{deployed}{beside}")


def bootstrap(account: Account) -> Check:
    name, templates = "bootstrap", account.templates
    command = f"node node_modules/aws-cdk/bin/cdk bootstrap aws://{account.number}/{templates.region}"
    ssm = account.session.client("ssm")
    try:
        value = ssm.get_parameter(Name=str(templates.bootstrap_parameter))["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return Check(name, False, f"{account.number} is not bootstrapped in {templates.region}: run `{command}`")
    if int(value) < (templates.bootstrap or 0):
        return Check(name, False, f"version {value}, and the stacks need {templates.bootstrap}: run `{command}` again")
    return Check(name, True, f"version {value}; the stacks need {templates.bootstrap}")


def concurrency(account: Account) -> Check:
    """Whether the reservations leave 100 executions at a time unreserved, as Lambda requires."""
    name = "lambda concurrency"
    client = account.session.client("lambda")
    limits = client.get_account_settings()["AccountLimit"]
    limit, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    reserved = sum(
        one.get("ReservedConcurrentExecutions", 0) for one in account.templates.of_type("AWS::Lambda::Function")
    )
    ours = sum(
        client.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions", 0)
        for function in account.ours.get("AWS::Lambda::Function", ())
    )
    left = free + ours - reserved
    if reserved and left < UNRESERVED:
        needed = limit + UNRESERVED - left
        return Check(
            name,
            False,
            f"the functions reserve {reserved} executions at a time, and {limit} with {UNRESERVED} unreserved allow "
            f"{max(0, free + ours - UNRESERVED)}: ask for {needed} (Service Quotas, lambda, L-B99A9384)",
        )
    slow = " — a burst of complaints will wait for its turn; ask for 1,000 (Service Quotas, lambda, L-B99A9384)"
    return Check(name, True, f"{limit} at a time, {reserved} reserved, {left} left{slow if limit < UNRESERVED else ''}")


def code_storage(account: Account) -> Check:
    """Whether another version of all packages fits into what the account may store."""
    name, templates = "lambda code storage", account.templates
    settings = account.session.client("lambda").get_account_settings()
    limit, used = settings["AccountLimit"]["TotalCodeSize"], settings["AccountUsage"]["TotalCodeSize"]
    functions = Counter(str(one.get("Code", {}).get("S3Key")) for one in templates.of_type("AWS::Lambda::Function"))
    needed = 0
    for asset in templates.assets("files"):
        folder = templates.folder / asset["source"]["path"]
        if folder.is_dir():
            key = next(iter(asset["destinations"].values()))["objectKey"]
            # Each function keeps a copy of its code, and a layer one. Zipped it is smaller.
            needed += _size(folder) * max(1, functions[key])
    told = f"{used / GIB:.1f} of {limit / GIB:.0f} GB used, {needed / GIB:.1f} GB added at most"
    if used + needed > limit:
        return Check(name, False, f"{told}: delete old versions of functions and layers")
    return Check(name, True, told)


@dataclass(frozen=True)
class Listing:
    """How the resources of a type are listed: `operation` of a service answers with them under `key`.

    name: the attribute that names each; None where the answer holds the names themselves.
    """

    service: str
    operation: str
    key: str
    name: str | None = None

    def __call__(self, session: boto3.Session) -> list[str]:
        client = session.client(self.service)  # type: ignore[call-overload]
        if client.can_paginate(self.operation):
            pages = client.get_paginator(self.operation).paginate()
        else:
            pages = [getattr(client, self.operation)()]
        # SQS leaves out an empty list.
        return [one[self.name] if self.name else one for page in pages for one in page.get(self.key, ())]


ALARMS = Listing("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName")
ALIASES = Listing("kms", "list_aliases", "Aliases", "AliasName")
BUCKETS = Listing("s3", "list_buckets", "Buckets", "Name")
BUSES = Listing("events", "list_event_buses", "EventBuses", "Name")
FUNCTIONS = Listing("lambda", "list_functions", "Functions", "FunctionName")
KEYS = Listing("kms", "list_keys", "Keys", "KeyId")
LOG_GROUPS = Listing("logs", "describe_log_groups", "logGroups", "logGroupName")
MACHINES = Listing("stepfunctions", "list_state_machines", "stateMachines", "name")
PARAMETERS = Listing("ssm", "describe_parameters", "Parameters", "Name")
QUEUES = Listing("sqs", "list_queues", "QueueUrls")
ROLES = Listing("iam", "list_roles", "Roles", "RoleName")
RULES = Listing("events", "list_rules", "Rules", "Name")
TABLES = Listing("dynamodb", "list_tables", "TableNames")
TRAILS = Listing("cloudtrail", "describe_trails", "trailList", "Name")


@dataclass(frozen=True)
class Quota:
    """How many resources of a type an account may have.

    documented: the default of AWS's documentation. code: of Service Quotas, with its service; None where the quota is
    fixed or unlisted.
    """

    documented: int
    code: tuple[str, str] | None
    listing: Listing


QUOTAS: dict[str, Quota] = {
    "AWS::CloudTrail::Trail": Quota(5, None, TRAILS),
    "AWS::DynamoDB::GlobalTable": Quota(2_500, ("dynamodb", "L-F98FE922"), TABLES),
    "AWS::Events::EventBus": Quota(100, ("events", "L-658A4FD9"), BUSES),
    "AWS::Events::Rule": Quota(300, ("events", "L-244521F2"), RULES),
    "AWS::IAM::Role": Quota(1_000, ("iam", "L-FE177D64"), ROLES),
    "AWS::KMS::Key": Quota(100_000, ("kms", "L-C2F1777E"), KEYS),
    "AWS::S3::Bucket": Quota(10_000, ("s3", "L-DC2B2D3D"), BUCKETS),
    "AWS::StepFunctions::StateMachine": Quota(10_000, None, MACHINES),
}
"""Quotas that an account with other systems may have used up."""

UNCOUNTED: dict[str, str] = {
    "AWS::CloudWatch::Alarm": "5,000 alarms a region",
    "AWS::CloudWatch::CompositeAlarm": "5,000 alarms a region",
    "AWS::CloudWatch::Dashboard": "no quota",
    "AWS::DynamoDB::Table": "counted as global tables",
    "AWS::IAM::ManagedPolicy": "1,500 policies an account",
    "AWS::IAM::OIDCProvider": "100 providers an account",
    "AWS::IAM::Policy": "part of its role",
    "AWS::KMS::Alias": "50 aliases a key",
    "AWS::Lambda::Alias": "no quota",
    "AWS::Lambda::EventInvokeConfig": "part of its function",
    "AWS::Lambda::EventSourceMapping": "no quota for streams",
    "AWS::Lambda::Function": "limited by code storage and concurrency, which have their own checks",
    "AWS::Lambda::LayerVersion": "limited by code storage, which has its own check",
    "AWS::Lambda::Permission": "part of its function",
    "AWS::Lambda::Version": "limited by code storage, which has its own check",
    "AWS::Logs::LogGroup": "1,000,000 groups a region",
    "AWS::Logs::MetricFilter": "100 filters a group",
    "AWS::Logs::ResourcePolicy": "10 policies a region; Step Functions adds to one of them",
    "AWS::S3::BucketPolicy": "part of its bucket",
    "AWS::SNS::Subscription": "12,500,000 a topic",
    "AWS::SNS::Topic": "100,000 topics an account",
    "AWS::SNS::TopicPolicy": "part of its topic",
    "AWS::SQS::Queue": "no quota",
    "AWS::SQS::QueuePolicy": "part of its queue",
    "AWS::SSM::Parameter": "10,000 parameters a region",
}
"""Types that are not counted: what an account may have of them is far from what these stacks create."""


def quota(account: Account, kind: str) -> Check:
    """Whether the resources of a type fit beside those that exist."""
    name, found = f"quota {kind.removeprefix('AWS::')}", QUOTAS[kind]
    ours = len(account.ours.get(kind, ()))
    new, used = max(0, account.templates.counts[kind] - ours), len(found.listing(account.session))
    limit, source = _limit(account.session, found)
    told = f"{used} of {limit:,} used ({source}), {new} to create"
    if used + new > limit:
        if found.code is None:
            return Check(name, False, f"{told}: it cannot be raised, so remove some")
        return Check(
            name, False, f"{told}: remove some, or ask Service Quotas for {used + new} ({' '.join(found.code)})"
        )
    return Check(name, True, told)


def _limit(session: boto3.Session, found: Quota) -> tuple[int, str]:
    if found.code is None:
        return found.documented, "documented"
    client = session.client("service-quotas")
    service, code = found.code
    try:
        return int(client.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]), "applied"
    except client.exceptions.NoSuchResourceException:
        # Service Quotas lists a quota that was never changed under its default alone.
        return found.documented, "documented"


NAMES: dict[str, tuple[str, Listing]] = {
    "AWS::CloudTrail::Trail": ("TrailName", TRAILS),
    "AWS::CloudWatch::Alarm": ("AlarmName", ALARMS),
    "AWS::DynamoDB::GlobalTable": ("TableName", TABLES),
    "AWS::Events::EventBus": ("Name", BUSES),
    "AWS::IAM::Role": ("RoleName", ROLES),
    "AWS::KMS::Alias": ("AliasName", ALIASES),
    "AWS::Lambda::Function": ("FunctionName", FUNCTIONS),
    "AWS::Logs::LogGroup": ("LogGroupName", LOG_GROUPS),
    "AWS::S3::Bucket": ("BucketName", BUCKETS),
    "AWS::SSM::Parameter": ("Name", PARAMETERS),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", MACHINES),
}
"""Types that may state their own name: the property that does, and how the names in use are listed."""


def fixed_names(templates: Templates) -> Iterator[tuple[str, str]]:
    """Yield type and name of each resource that states its own name."""
    for stack in templates.stacks:
        for resource in stack.resources.values():
            stated, _ = NAMES.get(resource["Type"], ("", None))
            name = resource.get("Properties", {}).get(stated)
            if isinstance(name, str):
                yield resource["Type"], name


def names(account: Account) -> Check:
    """Whether a name that the stacks will give is free, or theirs already."""
    fixed = set(fixed_names(account.templates))
    taken = [
        f"{kind} {name}"
        for kind in sorted({kind for kind, _ in fixed})
        for name in sorted(set(NAMES[kind][1](account.session)) - account.our_names)
        if (kind, name) in fixed
    ]
    if taken:
        return Check("names", False, f"taken by something outside the stacks: {', '.join(taken)}; delete or import it")
    return Check("names", True, f"{len(fixed)} fixed names are free or of these stacks")


def leftovers(account: Account) -> Check:
    """Whether a former deployment left tables, buckets or queues: a new one begins with empty ones beside them."""
    prefix = f"complaints-{account.templates.environment}-"
    kept = {name for kind in (TABLES, BUCKETS, QUEUES) for name in kind(account.session)} - account.our_names
    # A queue is listed by its address, which ends with its name.
    left = sorted(name for name in (each.rpartition("/")[2] for each in kept) if name.lower().startswith(prefix))
    if left:
        return Check(
            "leftovers",
            False,
            f"kept from a former deployment: {', '.join(left)}. New, empty ones would be created beside them: delete "
            "them (docs/deploy.md), or import them into the stack with `cdk import`",
        )
    return Check("leftovers", True, "no tables, buckets or queues of a former deployment")


def stack_state(session: boto3.Session, stack: Stack) -> Check:
    """Whether CloudFormation can update the stack in the state that it is in."""
    name = f"stack {stack.name}"
    client = session.client("cloudformation")
    try:
        (found,) = client.describe_stacks(StackName=stack.name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return Check(name, True, "not there yet")
        raise
    status = found["StackStatus"]
    delete = f"delete it with `aws cloudformation delete-stack --stack-name {stack.name}`"
    if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"}:
        return Check(name, False, f"{status}: its creation or deletion failed; {delete}, then deploy again")
    if status == "UPDATE_ROLLBACK_FAILED":
        go_on = f"`aws cloudformation continue-update-rollback --stack-name {stack.name}`"
        return Check(name, False, f"{status}: run {go_on}, then deploy again")
    if status == "REVIEW_IN_PROGRESS":
        return Check(name, False, f"{status}: a change set was never executed; {delete}")
    if status.endswith("_IN_PROGRESS"):
        return Check(name, False, f"{status}: wait until this change has ended")
    return Check(name, True, status)


Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS)


def docker(templates: Templates, *, run: Run = run, variables: Mapping[str, str] = os.environ) -> Check:
    """Whether the images can be built here, for the platform of the functions."""
    program = variables.get("CDK_DOCKER", "docker")
    platforms = sorted({str(asset["source"]["platform"]) for asset in templates.assets("dockerImages")})
    if shutil.which(program) is None:
        return Check("docker", False, f"{program} is not installed: install it, or set CDK_DOCKER to finch or podman")
    try:
        if run([program, "info"]).returncode != 0:
            return Check("docker", False, f"{program} is installed and does not answer: start it")
        said = run([program, "buildx", "inspect", "--bootstrap"]).stdout
    except subprocess.TimeoutExpired:
        return Check("docker", False, f"{program} did not answer within {COMMAND_SECONDS:g} s: restart it")
    able = set(re.findall(r"linux/\w+", said))
    missing = [platform for platform in platforms if platform not in able]
    if missing:
        emulate = f"`{program} run --privileged --rm tonistiigi/binfmt --install {missing[0].split('/')[1]}`"
        return Check(
            "docker", False, f"{program} cannot build {', '.join(missing)}: install the emulation with {emulate}"
        )
    return Check("docker", True, f"{program} builds {', '.join(platforms)}")


PROCESSORS = {b"\xb7\x00": "arm64", b"\x3e\x00": "x86_64"}
"""What an ELF file states at offset 18 as the machine that it was built for."""


def architecture(templates: Templates) -> Check:
    """Whether functions, layers and images agree on the processor, and the layers' libraries were built for it."""
    functions = {
        name
        for one in templates.of_type("AWS::Lambda::Function")
        # A function without layers or an image, such as one of the CDK's own, has no libraries for a processor.
        if "Layers" in one or "ImageUri" in one.get("Code", {})
        for name in one.get("Architectures", ["x86_64"])
    }
    layers = {name for one in templates.of_type("AWS::Lambda::LayerVersion") for name in one["CompatibleArchitectures"]}
    images = {asset["source"]["platform"].removeprefix("linux/") for asset in templates.assets("dockerImages")}
    if len(functions | layers | images) != 1:
        return Check(
            "architecture",
            False,
            f"functions run on {_and(functions)}, layers on {_and(layers)}, images on {_and(images)}: name one in "
            "stacks/packages.py",
        )
    (wanted,) = functions | layers | images
    wrong = [file for folder in _layer_folders(templates) for file in _built_for_another(folder, wanted)]
    if wrong:
        return Check(
            "architecture",
            False,
            f"{wrong[0].name} and {len(wrong) - 1} others are not for {wanted}: run `make package`",
        )
    return Check("architecture", True, f"functions, layers and images are for {wanted}")


def layers(templates: Templates, *, limit_megabytes: int = 250) -> Check:
    """Whether the layers were built, and are small enough together."""
    folders = list(_layer_folders(templates))
    if any(not list(folder.rglob("*.py")) for folder in folders):
        return Check("layers", False, "not built: run `make package`")
    size = sum(_size(folder) for folder in folders) / 1e6
    largest = max((_size(folder) / 1e6 for folder in folders), default=0)
    if largest > limit_megabytes:
        return Check("layers", False, f"one has {largest:.0f} MB, and Lambda takes {limit_megabytes}: remove a library")
    return Check("layers", True, f"{len(folders)} built, {size:.0f} MB unzipped")


def _layer_folders(templates: Templates) -> Iterator[Path]:
    keys = {one["Content"]["S3Key"] for one in templates.of_type("AWS::Lambda::LayerVersion")}
    for asset in templates.assets("files"):
        if {destination["objectKey"] for destination in asset["destinations"].values()} & keys:
            yield templates.folder / asset["source"]["path"]


def _built_for_another(folder: Path, wanted: str) -> Iterator[Path]:
    for file in sorted(folder.rglob("*.so*")):
        with file.open("rb") as content:
            head = content.read(20)
        if head.startswith(b"\x7fELF") and PROCESSORS.get(head[18:20]) != wanted:
            yield file


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _and(names: Iterable[str]) -> str:
    return " and ".join(sorted(names)) or "none"


def of_this_machine(templates: Templates) -> Iterator[Check]:
    """Yield the checks that need no AWS. An environment without layers or images has nothing to check of them."""
    if templates.counts["AWS::Lambda::LayerVersion"]:
        yield layers(templates)
        yield architecture(templates)
    if any(templates.assets("dockerImages")):
        yield docker(templates)


def of_the_account(account: Account) -> Iterator[Check]:
    """Yield the checks of an account, one after the other."""
    templates = account.templates
    looks: list[tuple[str, Callable[[], Check], str]] = [
        (
            f"stack {stack.name}",
            partial(stack_state, account.session, stack),
            "look at its state in CloudFormation: ROLLBACK_COMPLETE has to be deleted",
        )
        for stack in templates.stacks
    ]
    if templates.bootstrap is not None:
        toolkit = f"look whether the stack CDKToolkit in {templates.region} is version {templates.bootstrap} or later"
        looks.insert(0, ("bootstrap", partial(bootstrap, account), toolkit))
    looks += [
        ("lambda concurrency", partial(concurrency, account), "look at Lambda's quota of concurrent executions"),
        ("lambda code storage", partial(code_storage, account), "look at Lambda's dashboard"),
        ("names", partial(names, account), "deploy, and delete what CloudFormation reports as existing already"),
        (
            "leftovers",
            partial(leftovers, account),
            f"look for tables, buckets and queues that begin with Complaints-{templates.environment}",
        ),
    ]
    for kind in sorted(QUOTAS.keys() & templates.counts.keys()):
        compare = f"compare the quota in Service Quotas with what exists; {templates.counts[kind]} are created"
        looks.append((f"quota {kind.removeprefix('AWS::')}", partial(quota, account, kind), compare))
    for name, look, instead in looks:
        yield checked(name, look, instead=instead)


def embedded(session: boto3.Session, templates: Templates) -> Iterator[Check]:
    """Yield the checks that make sense on the embedded AWS, which has no quotas and no bootstrap."""
    for stack in templates.stacks:
        yield checked(
            f"stack {stack.name}",
            partial(stack_state, session, stack),
            instead="read deploy.log in the state folder",
        )
