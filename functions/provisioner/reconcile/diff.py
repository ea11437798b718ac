"""Compare a spec with the existing type or field, and decide which differences may be changed. Pure.

Keys that the spec omits are not compared. Nothing is ever removed: choices are only extended.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.outcome import Blocked, Difference
from provisioner.contract.text import nfc, spelling_key

OTHER_TYPE = "Close would delete the field and its values"
SINGLE = "values would be lost, because the field holds several"
OTHER_REFERENCE = "Close would delete the field and its values"
IS_SHARED = "the type has a shared field with this name, and its association would be deleted with its values"
IS_OWN = "the type has its own field with this name, and it would be deleted with its values"


class Comparison(NamedTuple):
    """``changes`` can be made. ``blocked`` would destroy something. ``immutable`` cannot be changed at all."""

    changes: tuple[Difference, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    immutable: tuple[Difference, ...] = ()

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Every difference, blocked ones as plain differences."""
        plain = (Difference(field=each.field, desired=each.desired, observed=each.observed) for each in self.blocked)
        return (*self.changes, *plain, *self.immutable)

    def only(self, keys: Collection[str]) -> "Comparison":
        """Return the comparison with changes to any other key moved to ``immutable``."""
        changes = tuple(each for each in self.changes if changed_key(each) in keys)
        return Comparison(changes, self.blocked, tuple(each for each in self.changes if each not in changes))


def compare_type(desired: Mapping[str, Any], observed: CustomObjectType) -> Comparison:
    """Compare a type. ``desired``: the keys of the type itself, with role ids."""
    found = observed.model_dump(mode="json")
    return Comparison(tuple(_different(desired, found)))


def agrees(desired: Mapping[str, Any], observed: CustomObjectType | CustomField) -> bool:
    """Whether all of these keys are as desired."""
    return not any(_different(desired, observed.model_dump(mode="json")))


def archived(observed: CustomObjectType) -> tuple[Difference, ...]:
    """Return the difference that the type is archived in Close, if it is. It stays archived."""
    if not observed.value("is_archived"):
        return ()
    return (Difference(field="is_archived", desired=False, observed=True),)


def compare_field(name: str, desired: Mapping[str, Any], observed: CustomField, reference: str | None) -> Comparison:
    """Compare a field. ``name``: its name in differences; ``reference``: the id of the type that the spec refers to.

    ``desired`` holds role ids. When the kind of field differs, nothing else is compared.
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
    if len(merge_choices(observed.choices, left.get("choices", ()))) == len(observed.choices or ()):
        left.pop("choices", None)
    changes = (
        Difference(field=field_path(name, each.field), desired=each.desired, observed=each.observed)
        for each in _different(left, found)
    )
    return Comparison(tuple(changes), tuple(blocked))


def field_path(name: str, key: str = "") -> str:
    """Return the path of a field, or of one of its keys, in a difference: escaped like a JSON pointer."""
    path = f"fields/{name.replace('~', '~0').replace('/', '~1')}"
    return f"{path}/{key}" if key else path


def merge_choices(observed: Sequence[str] | None, desired: Sequence[str]) -> list[str]:
    """Return the existing choices in their order, followed by the ones that the spec adds.

    A choice that looks like an existing one adds nothing: choices are never removed.
    """
    existing = list(observed or ())
    keys = set(map(spelling_key, existing))
    return [*existing, *(each for each in desired if spelling_key(each) not in keys)]


def changed_key(difference: Difference) -> str:
    """Return the key of the type or field that differs."""
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
    """Normalize: Close returns an empty description as null or "", roles in any order, [] or null for everyone, text in
    the normal form in which a person typed it, and may omit a flag that is not set.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted(map(str, value)) or None
    return (nfc(value) if isinstance(value, str) else value) or None
