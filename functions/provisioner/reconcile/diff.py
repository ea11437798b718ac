"""What Close has against what a spec wants: who is meant, what differs, and what may be changed. Pure.

What the spec leaves out is not compared. Nothing that is there is ever to go: choices are a set to be extended.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.outcome import Blocked, Difference

OTHER_TYPE = "a field keeps its type: Close would have to delete it, with its values, and make another"
SINGLE = "values would be lost: the field holds several, and would have to hold one"
OTHER_REFERENCE = "a field keeps the type that it refers to: Close would have to delete it, with its values"
IS_SHARED = "the type has a shared field by that name: its association, with the values, would have to go"
IS_OWN = "the type has a field of its own by that name: it would have to be deleted, with its values"


class Comparison(NamedTuple):
    """``changes`` can be made. ``blocked`` cannot, short of destroying something; ``fixed`` cannot at all."""

    changes: tuple[Difference, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    fixed: tuple[Difference, ...] = ()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All of them, as what was left alone."""
        plain = (Difference(field=each.field, desired=each.desired, observed=each.observed) for each in self.blocked)
        return (*self.changes, *plain, *self.fixed)

    def only(self, keys: Collection[str]) -> "Comparison":
        """What can be changed is one of these keys; the other changes are fixed."""
        changes = tuple(each for each in self.changes if changed_key(each) in keys)
        return Comparison(changes, self.blocked, tuple(each for each in self.changes if each not in changes))


def matching(
    types: Iterable[CustomObjectType], key: str, close_id: str | None, desired: Collection[str] = ()
) -> list[CustomObjectType]:
    """The types that go by this natural key, oldest first; failing that, the one with this id, renamed meanwhile.

    Unless the name that it has now is ``wanted``, too: then it is that type, and no other.
    """
    types = list(types)
    by_name = [each for each in types if each.natural_key == key]
    renamed = (each for each in types if each.id == close_id and each.natural_key not in desired)
    return oldest_first(by_name) or list(renamed)


def oldest_first[Row: (CustomObjectType, CustomField)](rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda each: (created_at(each), each.id))


def created_at(each: CustomObjectType | CustomField) -> float:
    """When Close created it (Unix seconds); infinite when Close does not say so legibly.

    Close writes 2020-08-07T15:18:33.797245 (UTC), some resources with +00:00 behind, some without a fraction.
    """
    try:
        moment = datetime.fromisoformat(each.date_created)
    except (TypeError, ValueError):
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def compare_type(desired: Mapping[str, Any], observed: CustomObjectType) -> Comparison:
    """``wanted``: the type's own keys, roles as ids."""
    found = observed.model_dump(mode="json")
    return Comparison(tuple(_different(desired, found)))


def archived(observed: CustomObjectType) -> tuple[Difference, ...]:
    """That somebody archived it in Close is told, and left alone."""
    if not observed.value("is_archived"):
        return ()
    return (Difference(field="is_archived", desired=False, observed=True),)


def compare_field(name: str, desired: Mapping[str, Any], observed: CustomField, reference: str | None) -> Comparison:
    """``name``: as differences are to call it. ``wanted``: roles as ids. ``reference``: the id of the type it wants.

    A field of another type is nothing that could be compared any further.
    """
    found = observed.model_dump(mode="json")
    if "type" in desired and desired["type"] != observed.type:
        return Comparison(blocked=(_blocked(name, "type", desired["type"], observed.type, OTHER_TYPE),))
    blocked = []
    if "references" in desired and reference != found.get("referenced_custom_type_id"):
        actual_reference = found.get("referenced_custom_type_id")
        blocked.append(_blocked(name, "references", desired["references"], actual_reference, OTHER_REFERENCE))
    if desired.get("accepts_multiple_values") is False and found.get("accepts_multiple_values"):
        blocked.append(_blocked(name, "accepts_multiple_values", False, True, SINGLE))
    left = {
        key: value for key, value in desired.items() if key not in {"type", "references", *map(changed_key, blocked)}
    }
    if not set(left.get("choices", ())) - set(observed.choices or ()):
        left.pop("choices", None)
    changes = (
        Difference(field=field_path(name, each.field), desired=each.desired, observed=each.observed)
        for each in _different(left, found)
    )
    return Comparison(tuple(changes), tuple(blocked))


def field_path(name: str, key: str = "") -> str:
    """How a difference calls a field, or a key of it: like a JSON pointer, so a slash in a name is no step."""
    path = f"fields/{name.replace('~', '~0').replace('/', '~1')}"
    return f"{path}/{key}" if key else path


def merge_choices(observed: Sequence[str] | None, desired: Sequence[str]) -> list[str]:
    """The choices that are there, in their order, and then those that the spec adds."""
    there = list(observed or ())
    return [*there, *(each for each in desired if each not in there)]


def changed_key(difference: Difference) -> str:
    """The key of the type or field that differs."""
    return difference.field.rpartition("/")[2]


def _blocked(name: str, key: str, desired: Any, observed: Any, reason: str) -> Blocked:
    return Blocked(field=field_path(name, key), desired=desired, observed=observed, reason=reason)


def _different(desired: Mapping[str, Any], found: Mapping[str, Any]) -> Iterable[Difference]:
    return (
        Difference(field=key, desired=value, observed=found.get(key))
        for key, value in desired.items()
        if _comparable(value) != _comparable(found.get(key))
    )


def _comparable(value: Any) -> Any:
    """Close echoes an empty description as null or "", roles as a list in any order, [] or null for everyone, and may
    leave out a flag that is not set.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted(map(str, value)) or None
    return value or None
