"""The monthly cost of an environment at some complaints a day, by service.

Quantities come from the templates where these say them (keys, alarms, states, schedules, indexes, retention), and from
the workload where only use can tell. Free tiers are not deducted, and storage is that after the whole retention.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from math import ceil
from typing import Any

from cli.templates import Templates
from triage.functions import SWEEP

BYTES = 1e9
"""In a GB of a price."""

MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}


@dataclass(frozen=True)
class Prices:
    """dated: when they were looked up. of: the price of each unit in US dollars."""

    dated: str
    region: str
    of: Mapping[str, float]
    sources: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls) -> "Prices":
        found = json.loads(files("cli.cost").joinpath("prices.json").read_text())
        of = {name: float(price["usd"]) for name, price in found["prices"].items()}
        return cls(found["dated"], found["region"], of, found["prices"])

    @property
    def of_other_regions(self) -> list[str]:
        """Names of the prices that are published for another region; London's may be higher."""
        return sorted(n for n, price in self.sources.items() if price["region"] not in {self.region, "every region"})

    @property
    def quoted(self) -> list[str]:
        """Names of the prices that others quote; AWS's own page was not at hand with a figure."""
        return sorted(name for name, price in self.sources.items() if not price["source"].startswith("the page itself"))


def workload() -> dict[str, Any]:
    """Return the work that a complaint makes."""
    return tomllib.loads(files("cli.cost").joinpath("workload.toml").read_text())


@dataclass(frozen=True)
class Plan:
    """The cost of an environment. per_day: complaints a day."""

    templates: Templates
    prices: Prices
    work: Mapping[str, Any]
    per_day: float

    @property
    def complaints(self) -> float:
        """Complaints a month."""
        return self.per_day * float(self.work["days"])

    def services(self) -> dict[str, float]:
        """Return US dollars a month by service. A service that the templates do not use is left out."""
        costs: dict[str, float] = {}
        for kind in sorted(self.templates.counts):
            rule = RULES.get(kind)
            if rule is not None:
                for service, cost in rule(self):
                    costs[service] = costs.get(service, 0.0) + cost
        for service, cost in self._of_no_resource():
            costs[service] = costs.get(service, 0.0) + cost
        return costs

    def lambda_cost(self) -> Iterator[tuple[str, float]]:
        calls = seconds = 0.0
        for path, properties in self._functions:
            per_month, core_seconds = self._calls(path)
            gigabytes = properties.get("MemorySize", 128) / 1024
            slower = max(1.0, self.work["full_core_megabytes"] / properties.get("MemorySize", 128))
            cold = self.work["cold_share"] * self.work["cold_seconds"]
            calls += per_month
            seconds += per_month * gigabytes * (core_seconds * slower + self.work["waiting_seconds"] + cold)
        yield "Lambda", calls * self.prices.of["lambda_request"] + seconds * self.prices.of["lambda_gigabyte_second"]

    def _calls(self, path: str) -> tuple[float, float]:
        """Return the calls of a function a month and the seconds of each; a function that only people call has none."""
        name = path.removesuffix("/Resource").rpartition("/")[2]
        scheduled = self._schedules.get(path, 0.0)
        row = self.work["functions"].get(name)
        if row is None:
            return scheduled, self.work["scheduled"]["default"]
        each = row.get("calls", 0.0) + row.get("calls_per_model", 0) * self.work["models"]
        share = self.work[row["calls_share"]] if "calls_share" in row else 0.0
        return scheduled + self.complaints * (each + share), row["seconds"]

    def state_machine_cost(self) -> Iterator[tuple[str, float]]:
        yield "Step Functions", self.transitions * self.prices.of["state_transition"]
        yield "X-Ray", self._traces * self.prices.of["trace"]

    @cached_property
    def transitions(self) -> float:
        """State transitions a month: the longest way through each machine without an error, for each execution."""
        return sum(executions * self._longest(definition) for definition, executions, _ in self._machines)

    @property
    def _traces(self) -> float:
        return sum(executions for _, executions, traced in self._machines if traced)

    @cached_property
    def _machines(self) -> list[tuple[dict[str, Any], float, bool]]:
        found = []
        for stack in self.templates.stacks:
            for resource in stack.resources.values():
                if resource["Type"] == "AWS::StepFunctions::StateMachine":
                    properties = resource["Properties"]
                    traced = properties.get("TracingConfiguration", {}).get("Enabled", False)
                    definition = json.loads(_text(properties["DefinitionString"]))
                    found.append((definition, self._executions(definition), traced))
        return found

    def _executions(self, definition: Mapping[str, Any]) -> float:
        """Return the executions of a machine a month, known by the first of its states."""
        first = definition["StartAt"]
        if first == "WeighEvidence":
            schedule = next((n for path, n in self._schedules.items() if "SchedulePromotions" in path), 0.0)
            return float(self.work["strategies"]) * schedule
        share = {"FindDecision": self.work["explained"], "EachShadow": self.work["shadowed"]}.get(first, 1.0)
        return self.complaints * float(share)

    def _longest(self, machine: Mapping[str, Any]) -> float:
        states: Mapping[str, Any] = machine["States"]

        def way(name: str | None, seen: frozenset[str]) -> float:
            # A state that was passed before is a loop of retries, which costs nothing without an error.
            if name is None or name in seen:
                return 0.0
            state = states[name]
            branches = [choice.get("Next") for choice in state.get("Choices", [])] + [state.get("Default")]
            following = max((way(one, seen | {name}) for one in (state.get("Next"), *branches)), default=0.0)
            inner = state.get("ItemProcessor") or state.get("Iterator")
            turns = self.work["models"] * self._longest(inner) if inner else 0.0
            return 1.0 + turns + following

        return way(machine["StartAt"], frozenset())

    def table_cost(self) -> Iterator[tuple[str, float]]:
        """The three tables that grow with complaints; those of models and strategies hold some rows."""
        writes = reads = gigabytes = 0.0
        for path in self._paths("AWS::DynamoDB::GlobalTable"):
            row = next((row for name, row in self.work["tables"].items() if f"/{name}/" in path), None)
            if row is None:
                continue
            for item in row["items"]:
                units = ceil(item["bytes"] / 1024) * item["count"] * self.complaints
                writes += units * (item["writes"] + item["index_writes"])
                copies = 1 + min(1, item["index_writes"])
                gigabytes += item["bytes"] * item["count"] * copies * self.per_day * self.retention_days / BYTES
            reads += row["reads"] * self.complaints
        scanned = self.work["tables"]["RawComplaints"]["items"][0]["bytes"] * self.per_day * self.retention_days
        reads += self._scans * scanned / 4096 / 2
        of = self.prices.of
        yield "DynamoDB requests", writes * of["dynamodb_write"] + reads * of["dynamodb_read"]
        yield "DynamoDB storage and recovery", gigabytes * (of["dynamodb_storage"] + of["dynamodb_recovery"])

    @property
    def retention_days(self) -> int:
        for properties in self.templates.of_type("AWS::SSM::Parameter"):
            if str(properties.get("Name")).endswith("/retention-days"):
                return int(properties["Value"])
        raise LookupError("the templates publish no retention-days: add the parameter in stacks/application.py")

    @property
    def _scans(self) -> float:
        """Scans of all of raw_complaints a month: each run of the sweeper reads one slice of it."""
        slices = [
            int(function["Environment"]["Variables"]["SWEEP_SLICES"])
            for function in self.templates.of_type("AWS::Lambda::Function")
            if function.get("Handler") == SWEEP.handler
        ]
        runs = sum(
            self._per_month(rule["ScheduleExpression"])
            for rule in self.templates.of_type("AWS::Events::Rule")
            if "ScheduleExpression" in rule and '"scope":"slice"' in json.dumps(rule).replace("\\", "").replace(" ", "")
        )
        return runs / slices[0] if slices else 0.0

    @cached_property
    def _schedules(self) -> dict[str, float]:
        """How often rules call each function a month, by the function's path."""
        calls: dict[str, float] = {}
        for stack in self.templates.stacks:
            for rule in stack.of_type("AWS::Events::Rule"):
                for target in rule.get("Targets", []) if "ScheduleExpression" in rule else []:
                    called = stack.resources.get(str(target["Arn"].get("Fn::GetAtt", [""])[0]))
                    if called is not None:
                        path = _path(called)
                        calls[path] = calls.get(path, 0.0) + self._per_month(rule["ScheduleExpression"])
        return calls

    def _per_month(self, expression: str) -> float:
        stated = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
        if aligned := re.fullmatch(r"cron\(0/(\d+) \* \* \* \? \*\)", expression):
            return float(self.work["days"]) * MINUTES["day"] / int(aligned[1])
        if stated is None:
            raise LookupError(f"{expression}: this schedule has no price yet; add a case to cli/cost/plan.py")
        return float(self.work["days"]) * MINUTES["day"] / (int(stated[1]) * MINUTES[stated[2]])

    def key_cost(self) -> Iterator[tuple[str, float]]:
        requests = self.complaints * self.work["kms"]["requests"]
        keys = self.templates.counts["AWS::KMS::Key"]
        yield "KMS", keys * self.prices.of["kms_key"] + requests * self.prices.of["kms_request"]

    def log_cost(self) -> Iterator[tuple[str, float]]:
        logs = self.work["logs"]
        written = (self.complaints * logs["bytes"] + self.transitions * logs["bytes_per_transition"]) / BYTES
        kept = max(group.get("RetentionInDays", 3650) for group in self.templates.of_type("AWS::Logs::LogGroup"))
        stored = written * kept / self.work["days"] * logs["compressed"]
        of = self.prices.of
        yield "CloudWatch logs", written * of["log_ingestion"] + stored * of["log_storage"]

    def alarm_cost(self) -> Iterator[tuple[str, float]]:
        alarms = self.templates.counts["AWS::CloudWatch::Alarm"]
        metrics = self.work["metrics"]["custom"]
        of = self.prices.of
        yield "CloudWatch alarms and metrics", alarms * of["alarm"] + metrics * of["custom_metric"]

    def trail_cost(self) -> Iterator[tuple[str, float]]:
        """A data event is a request for a complaint or a write of a record. One copy of management events is free."""
        of, trail = self.prices.of, self.work["trail"]
        tables = self.work["tables"]
        raw = tables["RawComplaints"]["items"][0]["writes"] + tables["RawComplaints"]["reads"]
        records = sum(
            item["count"] * item["writes"]
            for name in ("ComplaintsAllocation", "AuditChain")
            for item in tables[name]["items"]
        )
        events = self.complaints * (raw + records)
        yield "CloudTrail", events * of["trail_data_event"]
        stored = events / self.work["days"] * self.retention_days * trail["event_bytes"] / BYTES
        yield "S3", stored * of["s3_storage"] + trail["files"] * of["s3_put"]

    def bucket_cost(self) -> Iterator[tuple[str, float]]:
        yield "S3", self.work["s3"]["bundles_gigabytes"] * self.prices.of["s3_storage"]

    def bus_cost(self) -> Iterator[tuple[str, float]]:
        yield "EventBridge", self.complaints * (1 + self.work["feedback"]) * self.prices.of["custom_event"]

    def queue_cost(self) -> Iterator[tuple[str, float]]:
        """Messages are rare. A function that reads a queue polls it five times each 20 seconds, even an empty one."""
        polls = sum(
            "Queue" in json.dumps(mapping["EventSourceArn"]) or ":sqs:" in json.dumps(mapping["EventSourceArn"])
            for mapping in self.templates.of_type("AWS::Lambda::EventSourceMapping")
        )
        requests = self.complaints * 0.01 + polls * 5 * self.work["days"] * 86_400 / 20
        yield "SQS and SNS", requests * self.prices.of["queue_request"]

    def topic_cost(self) -> Iterator[tuple[str, float]]:
        yield "SQS and SNS", 100 * self.prices.of["notification"]

    def dashboard_cost(self) -> Iterator[tuple[str, float]]:
        yield "CloudWatch dashboards", self.templates.counts["AWS::CloudWatch::Dashboard"] * self.prices.of["dashboard"]

    def _of_no_resource(self) -> Iterator[tuple[str, float]]:
        images = len(list(self.templates.assets("dockerImages")))
        if images:
            yield "ECR", images * self.work["images"]["gigabytes"] * self.prices.of["image_storage"]

    @cached_property
    def _functions(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [
            (_path(resource), resource["Properties"])
            for stack in self.templates.stacks
            for resource in stack.resources.values()
            if resource["Type"] == "AWS::Lambda::Function"
        ]

    def _paths(self, kind: str) -> Iterator[str]:
        for stack in self.templates.stacks:
            for resource in stack.resources.values():
                if resource["Type"] == kind:
                    yield _path(resource)


Rule = Callable[[Plan], Iterator[tuple[str, float]]]

RULES: dict[str, Rule] = {
    "AWS::CloudTrail::Trail": Plan.trail_cost,
    "AWS::CloudWatch::Alarm": Plan.alarm_cost,
    "AWS::CloudWatch::Dashboard": Plan.dashboard_cost,
    "AWS::DynamoDB::GlobalTable": Plan.table_cost,
    "AWS::Events::EventBus": Plan.bus_cost,
    "AWS::KMS::Key": Plan.key_cost,
    "AWS::Lambda::Function": Plan.lambda_cost,
    "AWS::Logs::LogGroup": Plan.log_cost,
    "AWS::S3::Bucket": Plan.bucket_cost,
    "AWS::SNS::Topic": Plan.topic_cost,
    "AWS::SQS::Queue": Plan.queue_cost,
    "AWS::StepFunctions::StateMachine": Plan.state_machine_cost,
}
"""Types that cost something, each with its rule, which counts all resources of the type."""

FREE: dict[str, str] = {
    "AWS::Events::Rule": "schedules are free; events that rules match are paid by the bus",
    "AWS::IAM::ManagedPolicy": "IAM is free",
    "AWS::IAM::OIDCProvider": "IAM is free",
    "AWS::IAM::Policy": "IAM is free",
    "AWS::IAM::Role": "IAM is free",
    "AWS::KMS::Alias": "part of its key",
    "AWS::Lambda::Alias": "part of its function",
    "AWS::Lambda::EventInvokeConfig": "part of its function",
    "AWS::Lambda::EventSourceMapping": "Lambda reads DynamoDB's streams for free; polls of queues are priced with them",
    "AWS::Lambda::LayerVersion": "stored within Lambda's free 75 GB",
    "AWS::Lambda::Permission": "part of its function",
    "AWS::Lambda::Version": "part of its function",
    "AWS::Logs::MetricFilter": "free; the metrics are counted as custom metrics",
    "AWS::Logs::ResourcePolicy": "free",
    "AWS::S3::BucketPolicy": "part of its bucket",
    "AWS::SNS::Subscription": "alarms are some messages a month",
    "AWS::SNS::TopicPolicy": "part of its topic",
    "AWS::SQS::QueuePolicy": "part of its queue",
    "AWS::SSM::Parameter": "standard parameters are free",
}
"""Types that cost nothing, each with the reason."""


def _path(resource: Mapping[str, Any]) -> str:
    return str(resource.get("Metadata", {}).get("aws:cdk:path", ""))


def _text(value: Any) -> str:
    """Return a template's text; what only AWS knows, such as an ARN, becomes a letter."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    return str(argument[0]).join(map(_text, argument[1])) if function == "Fn::Join" else "x"
