from typing import Any, cast

import pytest

from local.deployed import NotAppliedError, Resource
from local.finish import apply
from local.setting import Clients, Setting, asked, holds


class Fake:
    """A service that keeps one value, or does not."""

    def __init__(self, value: Any = None, *, keeps: bool = True) -> None:
        self.value = value
        self.keeps = keeps
        self.calls: list[Any] = []

    def put(self, wanted: Any) -> None:
        self.calls.append(wanted)
        if self.keeps:
            self.value = wanted


def any_setting(fake: Fake) -> Setting:
    return Setting(
        types=("AWS::Thing",),
        property="Property",
        wanted=asked("Property"),
        found=lambda clients, resource: fake.value,
        apply=lambda clients, resource, wanted: fake.put(wanted),
    )


def any_resource(kind: str = "AWS::Thing", **properties: Any) -> Resource:
    return Resource(
        stack="Stack", logical_id="It", physical_id="it", type=kind, raw=properties, resolve=lambda value: value
    )


def applied(setting: Setting, resource: Resource) -> int:
    return apply(cast(Clients, None), [resource], [setting])


def test_what_is_missing_is_set_once():
    fake = Fake()
    assert applied(any_setting(fake), any_resource(Property=3)) == 1
    assert applied(any_setting(fake), any_resource(Property=3)) == 0
    assert fake.calls == [3]


def test_what_the_template_does_not_ask_for_is_left_alone():
    fake = Fake("something")
    assert applied(any_setting(fake), any_resource()) == 0
    assert fake.calls == []


def test_another_type_is_left_alone():
    fake = Fake()
    assert applied(any_setting(fake), any_resource("AWS::Other", Property=3)) == 0


def test_what_does_not_hold_is_refused_by_resource_and_property():
    with pytest.raises(NotAppliedError, match=r"Stack/It .*: Property is None although 3 was set"):
        applied(any_setting(Fake(keeps=False)), any_resource(Property=3))


@pytest.mark.parametrize(
    ("found", "wanted", "held"),
    [
        ({"a": 1, "added": 2}, {"a": 1}, True),
        ({"a": {"b": 1, "added": 2}}, {"a": {"b": 1}}, True),
        ({}, {"a": None}, False),
        ([{"a": 1, "added": 2}], [{"a": 1}], True),
        ([1, 2], [1], False),
        (None, {"a": 1}, False),
        (3, 3, True),
    ],
)
def test_what_a_service_adds_does_no_harm(found, wanted, held):
    assert holds(found, wanted) is held
