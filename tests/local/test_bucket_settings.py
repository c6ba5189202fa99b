import pytest

from local.bucket_settings import lifecycle_rule
from local.deployed import NotAppliedError

ENABLED = {"Status": "Enabled"}


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"ExpirationInDays": 3}, {"Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}),
        ({"Id": "old", "Prefix": "tmp/"}, {"ID": "old", "Filter": {"Prefix": "tmp/"}}),
        ({"TagFilters": [{"Key": "a", "Value": "b"}]}, {"Filter": {"Tag": {"Key": "a", "Value": "b"}}}),
        ({"ObjectSizeGreaterThan": "1024"}, {"Filter": {"ObjectSizeGreaterThan": 1024}}),
        (
            {"Prefix": "tmp/", "TagFilters": [{"Key": "a", "Value": "b"}]},
            {"Filter": {"And": {"Prefix": "tmp/", "Tags": [{"Key": "a", "Value": "b"}]}}},
        ),
        (
            {"Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 9}]},
            {"Filter": {"Prefix": ""}, "Transitions": [{"StorageClass": "GLACIER", "Days": 9}]},
        ),
        (
            {"NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "TransitionInDays": 9}]},
            {
                "Filter": {"Prefix": ""},
                "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER", "NoncurrentDays": 9}],
            },
        ),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
            {"Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        ),
    ],
)
def test_a_lifecycle_rule_is_worded_as_the_api_takes_it(rule, wanted):
    assert lifecycle_rule(ENABLED | rule, "a bucket") == ENABLED | wanted


def test_a_part_of_a_rule_that_is_not_understood_is_not_dropped_again():
    with pytest.raises(NotAppliedError, match=r"a bucket: a lifecycle rule has \['Novel'\]"):
        lifecycle_rule(ENABLED | {"Novel": 1}, "a bucket")
