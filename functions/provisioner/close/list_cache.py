"""A write-through cache of one organization's lists, for one batch of one tenant's requests.

Each list is read once, and again only when a caller needs a newer one or the credential changes. The writes of this
service change the cached lists too, so that the next request of the batch plans from the present state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from provisioner.close.client import FIELDS, ROLES, SHARED_FIELDS, CloseApi
from provisioner.close.models import CloseModel, CustomField, CustomObjectType, Role
from provisioner.close.transport import TYPES


@dataclass(slots=True)
class _CachedList[Row: CloseModel]:
    """A list, with the writes since it was read. ``read_at``: Unix seconds; None before the first read."""

    model: type[Row]
    path: str
    rows: dict[str, Row] = field(default_factory=dict)
    read_at: float | None = None

    def keep(self, row: Row) -> Row:
        if self.read_at is not None:
            self.rows[row.id] = row
        return row


@dataclass(slots=True)
class Organization:
    """One organization and its cached lists. Not to be shared between threads.

    Methods raise the errors of ``CloseApi``.
    """

    api: CloseApi
    _types: _CachedList[CustomObjectType] = field(default_factory=lambda: _CachedList(CustomObjectType, TYPES))
    _fields: _CachedList[CustomField] = field(default_factory=lambda: _CachedList(CustomField, FIELDS))
    _shared: _CachedList[CustomField] = field(default_factory=lambda: _CachedList(CustomField, SHARED_FIELDS))
    _roles: _CachedList[Role] = field(default_factory=lambda: _CachedList(Role, ROLES))
    _read_with_generation: int = 0
    _verified: bool = False

    def prepare(self) -> None:
        """Load the credential. Raises the errors of ``Connection.prepare``."""
        self.api.connection.prepare()

    # --- reading

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        """Return all types, from a list read at ``not_before`` (Unix seconds) or later; so do the other lists."""
        return self._read(self._types, not_before, self._verify_organization)

    def fields(self, not_before: float = 0) -> Sequence[CustomField]:
        """Return the fields that belong to one type, for all types."""
        return self._read(self._fields, not_before)

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]:
        return self._read(self._shared, not_before)

    def roles(self) -> Sequence[Role]:
        return self._read(self._roles, 0)

    def type(self, close_id: str) -> CustomObjectType | None:
        """Read one type from Close, not from the cache."""
        return self.api.read_type(close_id)

    def field(self, close_id: str, *, shared: bool) -> CustomField:
        """Read one field from Close, not from the cache."""
        return self.api.read_field(close_id, shared=shared)

    # --- writing

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType:
        return self._types.keep(self.api.create_type(body))

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType:
        return self._types.keep(self.api.update_type(close_id, body))

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField:
        created = self.api.create_field(body, shared=shared)
        if shared:
            return self._shared.keep(created)
        type_id = str(body["custom_object_type_id"])
        self._fields.keep(created.model_copy(update={"custom_object_type_id": type_id}))
        self._change_rows(type_id, lambda rows: [*rows, created.model_dump(mode="json")])
        return created

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField:
        changed = self.api.update_field(close_id, body, shared=shared)
        return (self._shared if shared else self._fields).keep(changed)

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        self.api.associate(field_id, type_id, body)
        name = self._shared.rows[field_id].name if field_id in self._shared.rows else ""
        row = {"required": False, "editable_with_roles": [], **body, "id": field_id, "name": name, "is_shared": True}
        self._change_rows(type_id, lambda rows: [*rows, row])

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        self.api.update_association(field_id, type_id, body)
        self._change_rows(type_id, lambda rows: [{**row, **body} if row["id"] == field_id else row for row in rows])

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None:
        self.api.reorder(type_id, field_ids)
        places = {close_id: place for place, close_id in enumerate(field_ids)}
        self._change_rows(type_id, lambda rows: sorted(rows, key=lambda row: places.get(row["id"], len(places))))

    # --- the cache

    def _read[Row: CloseModel](
        self, cached: _CachedList[Row], not_before: float, verify: Callable[[], None] | None = None
    ) -> Sequence[Row]:
        connection = self.api.connection
        if self._read_with_generation != connection.credential_generation:
            self._forget()
        if cached.read_at is None or cached.read_at < not_before:
            read_at = connection.clock()
            rows = self.api.read_list(cached.model, cached.path)
            if self._read_with_generation != connection.credential_generation:
                self._forget()
            cached.rows, cached.read_at = rows, read_at
            if verify:
                verify()
        return list(cached.rows.values())

    def _forget(self) -> None:
        """Drop all lists: another credential read them, perhaps from another organization."""
        for each in (self._types, self._fields, self._shared, self._roles):
            each.read_at = None
        self._verified, self._read_with_generation = False, self.api.connection.credential_generation

    def _change_rows(self, type_id: str, change: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any]]]) -> None:
        """Apply a write to the fields of a type in the cached list of types."""
        if known := self._types.rows.get(type_id):
            rows = [dict(known.field_row(close_id)) for close_id in known.field_ids]
            self._types.keep(known.model_copy(update={"fields": [*change(rows)]}))

    def _verify_organization(self) -> None:
        """Verify once that the credential belongs to the expected organization, before any write."""
        if (expected := self.api.connection.expected_organization) and not self._verified:
            self.api.check_organization(expected, {each.organization_id for each in self._types.rows.values()} - {None})
            self._verified = True
