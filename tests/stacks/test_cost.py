"""What a deployment costs, computed from the real templates."""

import re
from pathlib import Path

import pytest

from cli.aws.preflight import UNCOUNTED
from cli.cost.plan import FREE, RULES, Plan, Prices, workload
from cli.templates import Templates
from tests.stacks.conftest import Synthesis

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
VOLUMES = (0, 1, 100, 3_000, 15_000, 100_000)


def plan(synthesis: Synthesis, per_day: float, **changed: object) -> Plan:
    templates = Templates.read(synthesis.environment, synthesis.folder)
    return Plan(templates, Prices.load(), workload() | changed, per_day)


def test_every_type_has_a_price_or_a_reason_why_it_is_free(synthesis: Synthesis):
    kinds = {kind for kind in plan(synthesis, 0).templates.counts if not kind.startswith("Custom::")}
    assert kinds - RULES.keys() - FREE.keys() == set()
    assert not RULES.keys() & FREE.keys() and UNCOUNTED


def test_more_complaints_never_cost_less_in_any_service(production: Synthesis):
    costs = [plan(production, volume).services() for volume in VOLUMES]
    for service in costs[0]:
        of_service = [cost[service] for cost in costs]
        assert of_service == sorted(of_service), service
    assert sum(costs[-1].values()) > sum(costs[0].values()) > 0


def test_every_rule_adds_to_a_service_and_every_service_costs_something(production: Synthesis):
    costs = plan(production, 15_000).services()
    assert {"Lambda", "Step Functions", "DynamoDB requests", "KMS", "CloudTrail", "EventBridge", "X-Ray"} <= set(costs)
    assert all(cost > 0 for cost in costs.values()), costs


def test_a_complaint_passes_the_states_that_the_definition_names(production: Synthesis):
    """select, each model, judged, allocate, urgency, urgent, announce, settle, and two states for each of 3 models."""
    alone = plan(production, 1, strategies=0, explained=0.0)
    assert alone.transitions == pytest.approx((8 + 3 * 2) * alone.work["days"])


def test_models_strategies_and_explanations_cost_more_transitions(production: Synthesis):
    base = plan(production, 3_000).transitions
    for more in ({"models": 4}, {"strategies": 2}, {"explained": 0.5}):
        assert plan(production, 3_000, **more).transitions > base, more


def test_memory_and_schedules_are_read_off_the_templates(production: Synthesis):
    found = plan(production, 0)
    schedules = {path.rpartition("/")[0].rpartition("/")[2]: calls for path, calls in found._schedules.items()}
    assert schedules["SchedulePromotions"] == pytest.approx(found.work["days"] * 24 * 12)
    assert dict(found.lambda_cost())["Lambda"] > 0


def test_a_longer_retention_costs_more_storage(production: Synthesis, dev: Synthesis):
    longer, shorter = (plan(one, 3_000).services()["DynamoDB storage and recovery"] for one in (production, dev))
    assert longer > 5 * shorter


def test_every_function_and_table_of_the_workload_exists(production: Synthesis):
    found = plan(production, 0)
    functions = {path.removesuffix("/Resource").rpartition("/")[2] for path, _ in found._functions}
    assert set(found.work["functions"]) <= functions
    tables = list(found._paths("AWS::DynamoDB::GlobalTable"))
    assert all(any(f"/{name}/" in path for path in tables) for name in found.work["tables"])


def test_the_documented_cost_is_that_of_the_templates(production: Synthesis):
    """A figure may be a tenth off, or two dollars: then it still says what to expect."""
    documented = dict(re.findall(r"^\| ([A-Za-z- ]+) \| ([\d,]+ \| [\d,]+) \|$", DEPLOY.read_text(), re.MULTILINE))
    assert "total" in documented and len(documented) > 5
    for number, volume in enumerate((3_000, 15_000)):
        costs = plan(production, volume).services()
        costs |= {"total": sum(costs.values())}
        costs |= {"everything else": sum(cost for name, cost in costs.items() if name not in documented)}
        for name, figures in documented.items():
            assert int(figures.split(" | ")[number].replace(",", "")) == pytest.approx(costs[name], rel=0.1, abs=2), (
                name
            )
