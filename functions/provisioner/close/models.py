"""Models of Close's resources, and the credential of an organization.

All models are frozen. Keys that this service does not know are kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints

from provisioner.contract.text import natural_key

MAX_SHOWN_BYTES = 30_000
"""The largest part of a type, as Close returned it, that an outcome shows."""


class CloseModel(BaseModel):
    """The base of resources as Close returned them."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    id: Annotated[str, StringConstraints(min_length=1)]
    name: str

    @property
    def natural_key(self) -> str:
        return natural_key(self.name)

    def value(self, name: str) -> Any:
        """Return the value of any key that Close returned, as JSON; None without the key."""
        return self.model_dump(mode="json").get(name)


class Role(CloseModel):
    """A role of the organization."""


class CustomField(CloseModel):
    """A field of one type, or a shared field."""

    type: str
    date_created: Any = None
    custom_object_type_id: str | None = None
    choices: tuple[str, ...] | None = None


class CustomObjectType(CloseModel):
    """A Custom Object Type. ``fields``: one entry for each of its fields, in order, shared ones included."""

    organization_id: Any = None
    date_created: Any = None
    fields: Any = None

    @property
    def field_ids(self) -> tuple[str, ...]:
        """The ids of its fields in order, as far as Close returns them."""
        return tuple(str(row["id"]) for row in self._field_rows())

    @property
    def field_names(self) -> tuple[tuple[str, str], ...]:
        """The id and natural key of each of its fields."""
        return tuple((str(row["id"]), natural_key(str(row.get("name", "")))) for row in self._field_rows())

    def field_row(self, close_id: str) -> Mapping[str, Any]:
        """Return the entry of the field with this id, {} if the type has no such field."""
        return next((row for row in self._field_rows() if row["id"] == close_id), {})

    def _field_rows(self) -> list[dict[str, Any]]:
        rows = self.fields if isinstance(self.fields, list) else []
        return [row for row in rows if isinstance(row, dict) and row.get("id")]

    def shown(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the type as JSON values, and the omitted keys: the largest ones, to stay within MAX_SHOWN_BYTES."""
        shown = self.model_dump(mode="json", exclude={"fields"})
        sizes = {key: len(json.dumps(value)) for key, value in shown.items() if key not in {"id", "name"}}
        omitted: list[str] = []
        while sum(sizes.values()) > MAX_SHOWN_BYTES:
            largest = max(sizes, key=lambda key: sizes[key])
            omitted.append(largest)
            del sizes[largest], shown[largest]
        return shown, tuple(omitted)


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """The credential of a tenant's Close organization. Its ``repr`` shows nothing."""

    authorization: str  # the value of the header
    secret: str  # the key or token in it, to be redacted from Close's messages
    organization_id: str | None = None  # the organization that it must belong to

    def __repr__(self) -> str:
        return "Credential(…)"
