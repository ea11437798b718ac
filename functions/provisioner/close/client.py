"""The Close API for one organization: stateless calls that read and write types, fields, shared fields and roles.

Sources: the pages of developer.close.com on these resources. transport.py sends the requests, list_cache.py remembers
the lists.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from provisioner.close.models import CloseModel, CustomField, CustomObjectType, Role
from provisioner.close.responses import CloseResponse
from provisioner.close.transport import TYPES, Connection
from provisioner.contract.errors import OutcomeUnknown, Unavailable

FIELDS = "custom_field/custom_object_type/"
SHARED_FIELDS = "custom_field/shared/"
ROLES = "role/"
MAX_PAGES = 50


class CloseApi(NamedTuple):
    """The calls. Reads raise ``Rejected``, ``Unavailable`` or ``RetryLater``.

    Each write is sent once. It raises ``RetryLater`` when too little time is left to receive and record the response,
    ``OutcomeUnknown`` when the response is lost or unreadable, and the errors of reads when nothing was written.
    """

    connection: Connection

    # --- reading

    def read_list[Row: CloseModel](self, model: type[Row], path: str) -> dict[str, Row]:
        """Read a whole list, by id. Close sends some lists in one page today, but later pages are never missed."""
        found: dict[str, Row] = {}
        query = ""
        for _ in range(MAX_PAGES):
            page = self.connection.get(f"{path}{query}").json()
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list) or page.get("cursor"):
                raise Unavailable(f"Close's list {path} has an unexpected format")
            known = len(found)
            for row in rows:
                # An unreadable entry might be the resource that must exist once.
                if (each := _read_as(model, row)) is None:
                    raise Unavailable(f"Close's list {path} contains an unreadable entry")
                found[each.id] = each
            if not page.get("has_more"):
                return found
            if len(found) == known:
                break
            query = f"?_skip={len(found)}"
        raise Unavailable(f"Close's list {path} does not end")

    def read_type(self, close_id: str) -> CustomObjectType | None:
        """Return the type with this id, or None when Close has no such type."""
        response = self.connection.get(f"{TYPES}{close_id}/", may_be_missing=True)
        if response.status == 404:
            return None
        found = _read_as(CustomObjectType, response.json())
        if found is None:
            raise Unavailable("Close returned an unreadable type")
        return found

    def read_field(self, close_id: str, *, shared: bool) -> CustomField:
        found = _read_as(CustomField, self.connection.get(f"{_fields_path(shared)}{close_id}/").json())
        if found is None:
            raise Unavailable("Close returned an unreadable field")
        return found

    def organization_ids(self) -> set[str]:
        """Return the id of the organization that the credential opens, or several when Close does not say which.

        A user may belong to several organizations while a key opens one: then the roles of that one tell which.
        """
        me = self.connection.get("me/?_fields=organizations").json()
        rows = me.get("organizations") if isinstance(me, dict) else None
        found = {str(each["id"]) for each in rows or [] if isinstance(each, dict) and each.get("id")}
        if len(found) < 2:
            return found
        roles = self.read_list(Role, ROLES).values()
        return {str(each) for role in roles if (each := role.value("organization_id"))} or found

    # --- writing

    def create_type(self, body: Mapping[str, object]) -> CustomObjectType:
        return _written(CustomObjectType, self.connection.write("POST", TYPES, body))

    def update_type(self, close_id: str, body: Mapping[str, object]) -> CustomObjectType:
        return _written(CustomObjectType, self.connection.write("PUT", f"{TYPES}{close_id}/", body))

    def create_field(self, body: Mapping[str, object], *, shared: bool) -> CustomField:
        return _written(CustomField, self.connection.write("POST", _fields_path(shared), body))

    def update_field(self, close_id: str, body: Mapping[str, object], *, shared: bool) -> CustomField:
        return _written(CustomField, self.connection.write("PUT", f"{_fields_path(shared)}{close_id}/", body))

    def associate(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        """Associate the type with the shared field. ``body``: required, editable_with_roles."""
        whole = {"object_type": "custom_object_type", "custom_object_type_id": type_id, **body}
        self.connection.write("POST", f"{SHARED_FIELDS}{field_id}/association/", whole)

    def update_association(self, field_id: str, type_id: str, body: Mapping[str, object]) -> None:
        path = f"{SHARED_FIELDS}{field_id}/association/custom_object_type/{type_id}/"
        self.connection.write("PUT", path, body)

    def reorder(self, type_id: str, field_ids: Sequence[str]) -> None:
        """Put the type's fields in this order. Close appends the omitted ones."""
        body = {"fields": [{"id": each} for each in field_ids]}
        self.connection.write("PUT", f"custom_field_schema/custom_object/{type_id}/", body)


def _fields_path(shared: bool) -> str:
    return SHARED_FIELDS if shared else FIELDS


def _read_as[Row: CloseModel](model: type[Row], document: Any) -> Row | None:
    try:
        return model.model_validate(document)
    except ValidationError:
        return None


def _written[Row: CloseModel](model: type[Row], response: CloseResponse) -> Row:
    found = _read_as(model, response.json())
    if found is None:
        raise OutcomeUnknown(f"Close returned {response.status} to a write, without the written resource")
    return found
