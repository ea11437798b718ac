"""A type as Close shows it beside the last request for it, line by line."""

from typing import NamedTuple

from close_provisioner.client.tenants import TenantType


class Row(NamedTuple):
    """One key of the type or of one of its fields. ``kind``: same, missing, changed or added."""

    key: str
    observed: str
    desired: str
    kind: str


class TypeView(NamedTuple):
    """One type."""

    name: str
    observed: bool
    desired: bool
    differs: bool
    rows: tuple[Row, ...]
    request: str | None
    asked_at: str | None

    @classmethod
    def of(cls, found: TenantType) -> "TypeView":
        """Return the view of a type."""
        differing = {each.key for each in found.keys if each.differs}
        rows = tuple(
            Row(_label(each.key), _text(each.observed), _text(each.desired), _kind(each.observed, each.differs))
            for each in found.keys
            if f"{each.key}/type" not in differing  # a field's own line shows its type, too
        )
        return cls(
            found.name,
            found.id is not None,
            found.request is not None,
            any(each.differs for each in found.keys),
            rows,
            found.request,
            found.asked_at,
        )


def _label(key: str) -> str:
    """Return ``field Owner`` for ``fields/Owner``, and ``field Owner, type`` for ``fields/Owner/type``."""
    room, slash, rest = key.partition("/")
    if room != "fields" or not slash:
        return key
    name, slash, of_field = rest.rpartition("/")
    return f"field {name}, {of_field}" if slash else f"field {rest}"


def _kind(observed: object, differs: bool) -> str:
    if not differs:
        return "same"
    return "missing" if observed is None else "changed"


def _text(value: object) -> str:
    """Return the value in words: a list by its entries, a whole field by its keys."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{key}: {_text(each)}" for key, each in value.items())
    return str(value)
