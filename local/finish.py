"""After `cdk deploy`: set what MiniStack's CloudFormation drops, and refuse to go on where it does not hold."""

from collections.abc import Callable, Iterable

import boto3

from local import bucket_settings, function_settings, table_settings
from local.deployed import NotAppliedError, Resource, resources, stacks
from local.setting import Clients, Setting, holds

SETTINGS: list[Setting] = [*table_settings.SETTINGS, *bucket_settings.SETTINGS, *function_settings.SETTINGS]


def finish(aws: boto3.Session, *, on_progress: Callable[[str], None]) -> list[str]:
    """Make every deployed stack what its template says; return the stacks.

    Raises: NotAppliedError naming the resource and the property.
    """
    names = stacks(aws)
    applied = apply(Clients(aws), resources(aws, names))
    on_progress(f"Set {applied} properties that MiniStack's CloudFormation leaves out")
    return names


def apply(clients: Clients, resources: Iterable[Resource], settings: Iterable[Setting] = SETTINGS) -> int:
    """Return how many settings had to be set; a second call sets none."""
    by_type: dict[str, list[Setting]] = {}
    for setting in settings:
        for name in setting.types:
            by_type.setdefault(name, []).append(setting)
    return sum(
        _apply(clients, resource, setting) for resource in resources for setting in by_type.get(resource.type, [])
    )


def _apply(clients: Clients, resource: Resource, setting: Setting) -> bool:
    wanted = setting.wanted(resource)
    if wanted is None or holds(setting.found(clients, resource), wanted):
        return False
    setting.apply(clients, resource, wanted)
    found = setting.found(clients, resource)
    if not holds(found, wanted):
        raise NotAppliedError(f"{resource}: {setting.property} is {found!r} although {wanted!r} was set")
    return True
