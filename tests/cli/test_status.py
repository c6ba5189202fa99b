from cli.commands.environment import latest
from tests.cli.commands import ENV, parked, registered
from tests.factories import any_allocation
from triage.allocation import MANUAL_TEAM


def test_the_status_shows_registered_models_and_parked_and_recent_complaints(triage, deployment):
    registered(deployment)
    parked(deployment, "1")
    deployment.story.put(any_allocation(complaint_id="2"))
    found = triage("status", "--json", *ENV).json
    assert found["environment"] == "dev"
    assert [model["model_id"] for model in found["models"]] == ["acme/model"]
    assert (found["parked"], found["latest"]) == (["1"], ["2"])
    told = triage("status", *ENV)
    assert "Allocated last: 2" in told.out


def test_the_latest_allocations_are_found_over_all_teams(deployment):
    for minute, (complaint_id, team) in enumerate([("1", "mortgage"), ("2", MANUAL_TEAM), ("3", "mortgage")]):
        moment = f"2026-03-02T09:{minute:02}:00.000Z"
        deployment.story.put(any_allocation(complaint_id=complaint_id, product_team=team, allocated_at=moment))
    assert latest(deployment, 2) == ["3", "2"]


def test_an_urgent_complaint_comes_before_newer_ones(deployment):
    for minute, urgent in enumerate([True, None]):
        moment = f"2026-03-02T09:{minute:02}:00.000Z"
        deployment.story.put(any_allocation(complaint_id=str(minute), allocated_at=moment, urgent=urgent))
    assert latest(deployment, 2) == ["0", "1"]
