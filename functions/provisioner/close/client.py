"""One Close organization: its Custom Object Types and their fields, shared fields and roles, and what writes them.

Sources: developer.close.com, the pages on these resources. How requests are sent is in close_http.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from provisioner.close.models import CloseModel, CustomField, CustomObjectType, Role
from provisioner.close.responses import CloseResponse
from provisioner.close.transport import TYPES, Connection
from provisioner.contract.errors import OutcomeUnknown, ProblemType, Rejected, Unavailable

FIELDS = "custom_field/custom_object_type/"
SHARED_FIELDS = "custom_field/shared/"
ROLES = "role/"
MAX_PAGES = 50


@dataclass(slots=True)
class _Listed[Row: CloseModel]:
    """A list as it was read, and as it is since then by our own doing. ``read_at``: Unix seconds; None: not read."""

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
    """For the length of one batch of one tenant's requests: each list is read at most once when it can be.

    Not to be shared between threads.
    """

    connection: Connection
    _types: _Listed[CustomObjectType] = field(default_factory=lambda: _Listed(CustomObjectType, TYPES))
    _fields: _Listed[CustomField] = field(default_factory=lambda: _Listed(CustomField, FIELDS))
    _shared: _Listed[CustomField] = field(default_factory=lambda: _Listed(CustomField, SHARED_FIELDS))
    _roles: _Listed[Role] = field(default_factory=lambda: _Listed(Role, ROLES))
    _seen_with: int = 0
    _pin_holds: bool = False

    def prepare(self) -> None:
        """Load the credential. Raises the errors of ``Connection.prepare``."""
        self.connection.prepare()

    # --- what is there. Raises ``Refused``, ``NotCreated`` or ``Busy``.

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        """All types, from a list read at ``not_before`` (Unix seconds) or later; so are the other lists."""
        return self._read(self._types, not_before, self._check_pin)

    def fields(self, not_before: float = 0) -> Sequence[CustomField]:
        """The fields of all types."""
        return self._read(self._fields, not_before)

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]:
        return self._read(self._shared, not_before)

    def roles(self) -> Sequence[Role]:
        return self._read(self._roles, 0)

    def type(self, close_id: str) -> CustomObjectType | None:
        """One type, asked for by its id; None when Close says that there is no such type."""
        answer = self.connection.get(f"{TYPES}{close_id}/", may_be_missing=True)
        if answer.status == 404:
            return None
        found = _read_as(CustomObjectType, answer.json())
        if found is None:
            raise Unavailable("Close answered the look-up of a type with something else")
        return found

    def field(self, close_id: str, *, shared: bool) -> CustomField:
        """One field as it is now."""
        found = _read_as(CustomField, self.connection.get(f"{_fields_path(shared)}{close_id}/").json())
        if found is None:
            raise Unavailable("Close answered the look-up of a field with something else")
        return found

    # --- writing. Each is sent once.
    # Raises ``Busy`` when too little time is left to hear the answer and write it down, ``MaybeCreated`` when the
    # answer got lost or cannot be read, ``Refused`` or ``NotCreated`` when surely nothing was written.

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType:
        created = _written(CustomObjectType, self.connection.write("POST", TYPES, body))
        pin = self.connection.pin
        if pin and created.organization_id not in {None, pin}:
            raise _wrong_organization(pin, f"the type {created.id} was created in {created.organization_id}")
        return self._types.keep(created)

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType:
        return self._types.keep(_written(CustomObjectType, self.connection.write("PUT", f"{TYPES}{close_id}/", body)))

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField:
        created = _written(CustomField, self.connection.write("POST", _fields_path(shared), body))
        if shared:
            return self._shared.keep(created)
        type_id = str(body["custom_object_type_id"])
        self._fields.keep(created.model_copy(update={"custom_object_type_id": type_id}))
        self._change_rows(type_id, lambda rows: [*rows, created.model_dump(mode="json")])
        return created

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField:
        path = f"{_fields_path(shared)}{close_id}/"
        changed = _written(CustomField, self.connection.write("PUT", path, body))
        return (self._shared if shared else self._fields).keep(changed)

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        """Give the type that shared field. ``body``: required, editable_with_roles."""
        whole = {"object_type": "custom_object_type", "custom_object_type_id": type_id, **body}
        self.connection.write("POST", f"{SHARED_FIELDS}{field_id}/association/", whole)
        name = self._shared.rows[field_id].name if field_id in self._shared.rows else ""
        row = {"required": False, "editable_with_roles": [], **body, "id": field_id, "name": name, "is_shared": True}
        self._change_rows(type_id, lambda rows: [*rows, row])

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        path = f"{SHARED_FIELDS}{field_id}/association/custom_object_type/{type_id}/"
        self.connection.write("PUT", path, body)
        self._change_rows(type_id, lambda rows: [{**row, **body} if row["id"] == field_id else row for row in rows])

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None:
        """Put the type's fields in this order. Close appends those that are left out."""
        body = {"fields": [{"id": each} for each in field_ids]}
        self.connection.write("PUT", f"custom_field_schema/custom_object/{type_id}/", body)
        places = {close_id: place for place, close_id in enumerate(field_ids)}
        self._change_rows(type_id, lambda rows: sorted(rows, key=lambda row: places.get(row["id"], len(places))))

    # --- lists

    def _read[Row: CloseModel](
        self, listed: _Listed[Row], not_before: float, check: Callable[[], None] | None = None
    ) -> Sequence[Row]:
        if self._seen_with != self.connection.renewed:
            self._forget()
        if listed.read_at is None or listed.read_at < not_before:
            read_at = self.connection.clock()
            rows = self._read_all(listed)
            if self._seen_with != self.connection.renewed:
                self._forget()
            listed.rows, listed.read_at = rows, read_at
            if check:
                check()
        return list(listed.rows.values())

    def _forget(self) -> None:
        """What was read and checked so far was read with another credential."""
        for each in (self._types, self._fields, self._shared, self._roles):
            each.read_at = None
        self._pin_holds, self._seen_with = False, self.connection.renewed

    def _read_all[Row: CloseModel](self, listed: _Listed[Row]) -> dict[str, Row]:
        """The whole list. Close sends some in one page today; should it begin to page, no page may be missed."""
        found: dict[str, Row] = {}
        path, query = listed.path, ""
        for _ in range(MAX_PAGES):
            page = self.connection.get(f"{path}{query}").json()
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list) or page.get("cursor"):
                raise Unavailable(f"Close's list {path} could not be read to its end")
            known = len(found)
            for row in rows:
                # A row that cannot be read might be the very thing that is looked for.
                if (each := _read_as(listed.model, row)) is None:
                    raise Unavailable(f"Close's list {path} holds something that could not be read")
                found[each.id] = each
            if not page.get("has_more"):
                return found
            if len(found) == known:
                break
            query = f"?_skip={len(found)}"
        raise Unavailable(f"Close's list {path} has no end")

    def _change_rows(self, type_id: str, change: Callable[[list[dict[str, Any]]], Iterable[dict[str, Any]]]) -> None:
        """What the list of types says of a type's fields follows what we did."""
        if known := self._types.rows.get(type_id):
            rows = [dict(known.field_row(close_id)) for close_id in known.field_ids]
            self._types.keep(known.model_copy(update={"fields": [*change(rows)]}))

    def _check_pin(self) -> None:
        """Where the tenant is pinned to an organization, make sure that this is it before anything is written."""
        pin = self.connection.pin
        if not pin or self._pin_holds:
            return
        organizations: set[str | None] = {each.organization_id for each in self._types.rows.values()} - {None}
        if not organizations:
            organizations = _organization_ids(self.connection.get("me/?_fields=organizations").json())
        if organizations != {pin}:
            raise _wrong_organization(pin, f"it opens {_listed(organizations)}; nothing was written")
        self._pin_holds = True


def _fields_path(shared: bool) -> str:
    return SHARED_FIELDS if shared else FIELDS


def _read_as[Row: CloseModel](model: type[Row], document: Any) -> Row | None:
    try:
        return model.model_validate(document)
    except ValidationError:
        return None


def _written[Row: CloseModel](model: type[Row], answer: CloseResponse) -> Row:
    found = _read_as(model, answer.json())
    if found is None:
        raise OutcomeUnknown(f"Close answered the write with {answer.status}, but did not say what it wrote")
    return found


def _listed(organizations: set[Any]) -> str:
    return ", ".join(sorted(map(str, organizations))) or "none"


def _organization_ids(me: Any) -> set[str | None]:
    rows = me.get("organizations") if isinstance(me, dict) else None
    return {each.get("id") for each in rows or [] if isinstance(each, dict)}


def _wrong_organization(pin: str, consequence: str) -> Rejected:
    return Rejected(
        ProblemType.WRONG_ORGANIZATION,
        f"The tenant's credential must open organization {pin} and no other: {consequence}. "
        "Whoever keeps this service's secrets can mend it.",
    )
