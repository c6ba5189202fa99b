"""The same models, also a retired one, reproduce the predictions made on the deployed machine."""

from pathlib import Path

from cli.commands.replay import again
from cli.commands.show import read_story
from runtime.adapters.bundles import S3Bundles
from tests.system.machine import Machine
from triage.complaint import Complaint
from triage.inference.models import LoadedModels

COMPLAINTS = 100


def test_a_hundred_complaints_are_replayed_to_the_last_digit(machine: Machine, real_items, tmp_path: Path):
    items = real_items[:COMPLAINTS]
    machine.wait(machine.put(*items), seconds=300)
    deployment = machine.deployment
    store = S3Bundles(machine.aws.client("s3"), deployment.name("bundles-bucket"))
    models = LoadedModels(store, folder=tmp_path, capacity=5)
    replays = [
        again(Complaint.read(item).narrative, prediction, models)
        for item in items
        for prediction in read_story(deployment, str(item["complaint_id"])).predictions
    ]
    assert len(replays) >= 3 * len(items)
    assert {one.result for one in replays} == {"identical"}


def test_the_command_replays_a_complaint(machine: Machine, any_item):
    (allocation,) = machine.allocate(any_item())
    told = machine.triage_json("replay", allocation.complaint_id)
    assert (told["identical"], told["max_abs_difference"]) == (True, 0.0)
