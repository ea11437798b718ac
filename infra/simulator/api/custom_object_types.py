"""``/custom_object_type/``: list, create, get, update, delete."""

from collections.abc import Mapping
from typing import Any

from infra.simulator.api.custom_fields import fields_of, nested, referring_fields
from infra.simulator.api.requests import DELETED, Call
from infra.simulator.api.responses import Mistake, Refused, Response, error_response, json_response
from infra.simulator.api.validation import (
    Rule,
    accepted_roles,
    checked,
    refuse,
    refuse_duplicate,
)
from infra.simulator.state import Stored, new_id

_RULES = {
    "name": Rule("name", required=True),
    "name_plural": Rule("name", required=True),
    "description": Rule("text", nullable=True),
    "api_create_only": Rule("flag"),
    "editable_with_roles": Rule("texts", nullable=True),
    "is_archived": Rule("flag"),
}
TYPE_KEYS = tuple(_RULES)
_COMPUTED = ("fields", "back_reference_fields")


def list_types(call: Call) -> Response:
    shown = [
        shown_type(call, stored, listed=True)
        for stored in call.organization.types.values()
        if call.is_listed(stored) and (call.options.archived_listed or not stored.data["is_archived"])
    ]
    return call.listed(shown)


def create_type(call: Call) -> Response:
    """Create a type. It accepts whole objects as read, which Close's own clone script sends."""
    if call.body.get("organization_id", call.organization.id) != call.organization.id:
        refuse({"organization_id": Mistake("foreign")}, call.options)
    data = checked(call.body, _RULES, call.options, partial=False, ignored=_COMPUTED)
    _refuse_duplicates(call, data)
    limit = call.organization.max_types
    if limit is not None and len(call.organization.existing_types()) >= limit:
        raise Refused(
            error_response(call.options.type_limit_failure, "Your plan's limit of custom objects is reached.")
        )
    stored = store_type(call, data)
    return call.created(f"custom_object_type/{stored.id}/", shown_type(call, stored))


def store_type(call: Call, data: Mapping[str, Any]) -> Stored:
    """Store a type without checks. ``data`` may have dates and lags."""
    defaults = {"description": None, "api_create_only": False, "editable_with_roles": None, "is_archived": False}
    stored = call.stored_now(call.signed(**{"id": new_id("cotype"), **defaults, **data}))
    stored.data["editable_with_roles"] = accepted_roles(stored.data["editable_with_roles"], call.roles(), call.options)
    call.organization.types[stored.id] = stored
    call.organization.creates += 1
    return stored


def get_type(call: Call) -> Response:
    return call.one(shown_type(call, call.stored("types")))


def update_type(call: Call) -> Response:
    stored = call.stored("types")
    changes = checked(call.body, _RULES, call.options, partial=True, ignored=_COMPUTED)
    _refuse_duplicates(call, changes, besides=stored.id)
    if "editable_with_roles" in changes:
        roles = accepted_roles(changes["editable_with_roles"], call.roles(), call.options)
        changes["editable_with_roles"] = roles
    call.update(stored, changes)
    return json_response(shown_type(call, stored))


def delete_type(call: Call) -> Response:
    stored = call.stored("types")
    referring = referring_fields(call.organization, stored.id)
    if referring and call.options.delete_of_referenced_type == "refused":
        refuse({"id": Mistake("referenced")}, call.options)
    fields = call.organization.fields
    doomed = [*referring, *(f for f in fields.values() if f.data["custom_object_type_id"] == stored.id)]
    for stored_field in doomed:
        fields.pop(stored_field.id, None)
    stored.gone_from = call.now() + call.options.delete_lag_seconds
    return DELETED[call.options.delete_answer]


def shown_type(call: Call, stored: Stored, *, listed: bool = False) -> dict[str, Any]:
    """Return the full object. In a list, it has only those fields that lists show already."""
    shown = call.with_dates(stored.data)
    if shown["description"] is None and call.options.description_when_omitted == "empty":
        shown["description"] = ""
    if shown["editable_with_roles"] is None and call.options.roles_when_omitted == "empty":
        shown["editable_with_roles"] = []
    archived = shown.pop("is_archived")
    if call.options.is_archived_shown == "always" or (archived and call.options.is_archived_shown != "never"):
        shown["is_archived"] = archived
    entries = fields_of(call.organization, stored.id, listed_at=call.now() if listed else None)
    shown["fields"] = [nested(call, entry) for entry in entries]
    referring = referring_fields(call.organization, stored.id)
    shown["back_reference_fields"] = [nested(call, entry.data) for entry in referring]
    return shown


def _refuse_duplicates(call: Call, data: Mapping[str, Any], besides: str | None = None) -> None:
    others = [stored.data for stored in call.organization.existing_types() if stored.id != besides]
    rules = {"name": call.options.duplicate_names, "name_plural": call.options.duplicate_plural_names}
    for key, rule in rules.items():
        if key in data:
            refuse_duplicate(key, data[key], (other[key] for other in others), rule, call.options)
