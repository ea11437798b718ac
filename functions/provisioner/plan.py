"""The difference between what the spec wants and what Close has. Pure: no AWS, no HTTP, no clock."""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from provisioner.contract import CustomObjectType, CustomObjectTypeSpec, Difference


def matching(types: Iterable[CustomObjectType], key: str, close_id: str | None) -> list[CustomObjectType]:
    """The types that go by this natural key, oldest first; failing that, the one with this id, renamed meanwhile."""
    types = list(types)
    by_name = [each for each in types if each.natural_key == key]
    return sorted(by_name, key=lambda each: (created_at(each), each.id)) or [
        each for each in types if each.id == close_id
    ]


def created_at(each: CustomObjectType) -> float:
    """When Close created it (Unix seconds); infinite when Close does not say so legibly.

    Close writes 2020-08-07T15:18:33.797245 (UTC), some resources with +00:00 behind, some without a fraction.
    """
    try:
        moment = datetime.fromisoformat(each.date_created)
    except (TypeError, ValueError):
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def differences(spec: CustomObjectTypeSpec, actual: CustomObjectType) -> tuple[Difference, ...]:
    """What of the spec Close has otherwise. What the spec leaves out is not compared."""
    found = actual.model_dump(mode="json")
    different = [
        Difference(field=field, wanted=wanted, actual=found.get(field))
        for field, wanted in spec.wanted().items()
        if _comparable(wanted) != _comparable(found.get(field))
    ]
    if found.get("is_archived"):
        different.append(Difference(field="is_archived", wanted=False, actual=True))
    return tuple(different)


def _comparable(value: Any) -> Any:
    """Close echoes an empty description as null or "", and roles as a list in any order, [] or null for everyone."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted(map(str, value)) or None
    return value or None if value != 0 else False
