"""`triage cost --plan`: the price list, small templates, and what is printed."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cli.commands import cost as command
from cli.cost.plan import RULES, Plan, Prices, workload
from cli.templates import Stack, Templates

PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/a/retention-days", "Value": "100"}}
KEY = {"Type": "AWS::KMS::Key"}


def templates(folder: Path, **resources: dict[str, Any]) -> Templates:
    stack = Stack("Complaints-prod-Stateful", "eu-west-2", {"Retention": PARAMETER, **resources})
    return Templates("prod", folder, (stack,), None, None)


def services(folder: Path, per_day: float, **resources: dict[str, Any]) -> dict[str, float]:
    return Plan(templates(folder, **resources), Prices.load(), workload(), per_day).services()


def test_every_price_is_dated_and_says_where_it_is_from():
    prices = Prices.load()
    assert date.fromisoformat(prices.dated) <= date(2026, 12, 31)
    for name, price in prices.sources.items():
        assert price["usd"] > 0 and price["unit"] and price["source"], name
        assert price["page"].startswith("https://aws.amazon.com/"), name
        assert price["region"] in {prices.region, "us-east-1", "every region"}, name
    assert set(prices.of_other_regions) < set(prices.of)
    assert "state_transition" not in prices.of_other_regions
    assert "alarm" in prices.quoted and "trail_data_event" not in prices.quoted


def test_every_price_is_used_or_explains_a_choice():
    source = Path(__file__).parents[2].joinpath("cli", "cost", "plan.py").read_text()
    unused = {name for name in Prices.load().of if f'"{name}"' not in source}
    assert unused == {"trail_management_event"}, "it is what a second trail would cost"


def test_a_key_costs_a_dollar_and_its_requests(tmp_path):
    none, one = services(tmp_path, 0, Key=KEY)["KMS"], services(tmp_path, 1_000, Key=KEY)["KMS"]
    two = services(tmp_path, 0, Key=KEY, Other=KEY)["KMS"]
    assert (none, two) == (1.0, 2.0) and one > none


def test_a_rule_counts_all_resources_of_its_type_once(tmp_path):
    alarm = {"Type": "AWS::CloudWatch::Alarm"}
    prices = Prices.load().of
    one, three = (services(tmp_path, 0, **{f"A{n}": alarm for n in range(count)}) for count in (1, 3))
    (service,) = one
    assert three[service] - one[service] == pytest.approx(2 * prices["alarm"])


def test_a_schedule_without_a_price_says_so(tmp_path):
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "cron(0 1 * * ? *)"}}
    target = {"Arn": {"Fn::GetAtt": ["Function", "Arn"]}}
    rule["Properties"]["Targets"] = [target]  # type: ignore[index]
    function = {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 512}}
    with pytest.raises(LookupError, match="has no price yet"):
        services(tmp_path, 0, Rule=rule, Function=function)


@pytest.mark.parametrize("kind", RULES)
def test_a_rule_never_costs_less_for_more_complaints(tmp_path, kind):
    def costs(volume: float) -> Iterator[float]:
        yield from services(tmp_path, volume, One={"Type": kind, "Properties": DEFINITION}).values()

    assert sum(costs(0)) <= sum(costs(3_000)) <= sum(costs(15_000))


DEFINITION = {"DefinitionString": json.dumps({"StartAt": "One", "States": {"One": {"Type": "Succeed"}}})}


@pytest.fixture
def synthesised(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "synthesised", lambda environment, folder: templates(tmp_path, Key=KEY))


def test_both_volumes_stand_side_by_side_with_their_total(triage, synthesised):
    found = triage("cost", "--plan", "--json").json
    assert found["per_day"] == [3_000, 15_000] and found["environment"] == "prod"
    assert set(found["services"]) == {"KMS"}
    assert found["total"] == found["services"]["KMS"]
    told = triage("cost", "--plan")
    assert "at 3,000 complaints a day" in told.out and "of another region than eu-west-2" in told.out


def test_other_volumes_can_be_asked_for(triage, synthesised):
    found = triage("cost", "--plan", "--per-day", 10, "--per-day", 20, "--json", "--env", "dev").json
    assert (found["per_day"], found["environment"]) == ([10, 20], "dev")


def test_what_was_spent_and_what_costs_nothing_are_no_plan(triage, synthesised):
    assert "AWS Cost Explorer" in triage("cost").err
    refused = triage("cost", "--plan", "--env", "local")
    assert refused.code == 2 and "costs nothing" in refused.err
