import json

import pytest

from runtime.shadow_failed import build
from tests.factories import any_model_reference
from tests.runtime.conftest import Cloud
from triage.steps import Outcome, ShadowFailure
from triage.story import SHADOW_FAILURE, FailureEntry
from triage.tables import COMPLAINTS_ALLOCATION

SHADOW = any_model_reference(model_id="acme/next", arm="next", bucket=7, shadow=True)
FAILURE = ShadowFailure(complaint_id="1", model=SHADOW, error="Sandbox.Timedout")


def story(cloud: Cloud) -> list[FailureEntry]:
    return [FailureEntry.model_validate(item) for item in cloud.table(COMPLAINTS_ALLOCATION).query("1")]


def record(cloud: Cloud) -> Outcome:
    event = FAILURE.model_dump(mode="json")
    return Outcome.model_validate(build(cloud.shadow_failed, cloud.session())(event, None))


def test_a_failure_is_recorded_with_arm_bucket_and_the_errors_name(cloud):
    assert record(cloud) == Outcome(model=SHADOW, error="Sandbox.Timedout")
    (entry,) = story(cloud)
    assert (entry.model.arm, entry.model.bucket, entry.error) == ("next", 7, "Sandbox.Timedout")
    assert entry.entry.startswith(SHADOW_FAILURE)
    assert entry.failed_version == SHADOW.version
    assert entry.expires_at


def test_a_failure_is_counted_and_logged_once(cloud, capsys, caplog):
    record(cloud)
    record(cloud)
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "ShadowFailed" in line]
    assert [(metric["task"], metric["arm"]) for metric in metrics] == [("product", "next")]
    assert caplog.text.count("shadow failed") == 1
    assert len(story(cloud)) == 1


@pytest.mark.parametrize("field", ["narrative", "cause"])
def test_a_failure_carries_no_text(cloud, field):
    with pytest.raises(ValueError, match=field):
        build(cloud.shadow_failed, cloud.session())({**FAILURE.model_dump(mode="json"), field: "text"}, None)
    assert story(cloud) == []
