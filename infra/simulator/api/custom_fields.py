"""``/custom_field/custom_object_type/``: fields of one type; and all fields of a type, shared ones included."""

from collections.abc import Mapping
from typing import Any

from infra.simulator.api.requests import DELETED, Call
from infra.simulator.api.responses import Mistake, Refused, Response, error_response, json_response
from infra.simulator.api.validation import Rule, Rules, accepted_roles, checked, refuse, refuse_duplicate
from infra.simulator.state import Organization, Stored, new_id

FIELD_TYPES = (
    "text",
    "number",
    "date",
    "datetime",
    "choices",
    "user",
    "contact",
    "custom_object",
    "textarea",
    "hidden",
)
_SEVERAL_VALUES = {"user", "choices", "contact", "custom_object"}

COMMON_RULES = {
    "name": Rule("name", required=True),
    "type": Rule("choice", required=True, choices=FIELD_TYPES),
    "description": Rule("text", nullable=True, max_length=280),
    "choices": Rule("texts", nullable=True),
    "accepts_multiple_values": Rule("flag"),
    "editable_with_roles": Rule("texts", nullable=True),
    "referenced_custom_type_id": Rule("text", nullable=True),
    "back_reference_is_visible": Rule("flag", nullable=True),
}
_RULES: Rules = {
    **COMMON_RULES,
    "custom_object_type_id": Rule("text", required=True),
    "required": Rule("flag"),
}
FIELD_KEYS = tuple(_RULES)
_COMPUTED = ("is_shared", "always_visible", "enrichment_enabled", "enrichment_options", "converting_to_type")
_NESTED = ("id", "name", "description", "type", "required", "accepts_multiple_values", "editable_with_roles")
_NESTED_IN_FULL = ("choices", "is_shared", "referenced_custom_type_id", "back_reference_is_visible")


def list_fields(call: Call) -> Response:
    return call.listed(
        [shown_field(call, each.data) for each in call.organization.fields.values() if call.is_listed(each)]
    )


def create_field(call: Call) -> Response:
    data = checked(call.body, _RULES, call.options, partial=False, ignored=_COMPUTED)
    refuse_beyond_plan(call)
    if not _is_type(call.organization, data["custom_object_type_id"]):
        refuse({"custom_object_type_id": Mistake("missing")}, call.options)
    _refuse_duplicate(call, data["custom_object_type_id"], data["name"])
    stored = store_field(call, data)
    return call.created(f"custom_field/custom_object_type/{stored.id}/", shown_field(call, stored.data))


def refuse_beyond_plan(call: Call) -> None:
    """Raise ``Refused`` if the organization has as many custom fields as its plan allows."""
    limit, known = call.organization.max_fields, {**call.organization.fields, **call.organization.shared_fields}
    if limit is not None and len(known) >= limit:
        raise Refused(error_response(call.options.type_limit_failure, "Your plan's limit of custom fields is reached."))


def store_field(call: Call, data: Mapping[str, Any]) -> Stored:
    """Store a field of a type. Raises ``Refused`` if its keys contradict each other."""
    stored = call.stored_now(call.signed(**{"id": new_id("cf"), **complete(call, data)}, is_shared=False))
    call.organization.fields[stored.id] = stored
    return stored


def get_field(call: Call) -> Response:
    return call.one(shown_field(call, call.stored("fields").data))


def update_field(call: Call) -> Response:
    stored = call.stored("fields")
    changes = checked(call.body, _RULES, call.options, partial=True, ignored=_COMPUTED)
    fixed = ("type", "custom_object_type_id", "referenced_custom_type_id")
    refuse_changed(call, stored, changes, fixed)
    if "name" in changes:
        _refuse_duplicate(call, stored.data["custom_object_type_id"], changes["name"], besides=stored.id)
    call.update(stored, validated(call, {**stored.data, **changes}))
    return json_response(shown_field(call, stored.data))


def delete_field(call: Call) -> Response:
    del call.organization.fields[call.stored("fields").id]
    return DELETED[call.options.field_delete_answer]


def shown_field(call: Call, data: Mapping[str, Any]) -> dict[str, Any]:
    shown = call.with_dates(data)
    if shown["editable_with_roles"] is None and call.options.roles_when_omitted == "empty":
        shown["editable_with_roles"] = []
    return shown


def complete(call: Call, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new field with every key that Close shows. Raises ``Refused`` if its keys contradict each other."""
    defaults = {
        "description": None,
        "required": False,
        "choices": None,
        "accepts_multiple_values": False,
        "editable_with_roles": None,
        "referenced_custom_type_id": None,
        "back_reference_is_visible": False if data["type"] == "custom_object" else None,
    }
    return validated(call, {**defaults, **data})


def validated(call: Call, data: dict[str, Any]) -> dict[str, Any]:
    mistakes = {}
    if data["type"] == "choices" and not data["choices"]:
        mistakes["choices"] = Mistake("empty")
    if data["accepts_multiple_values"] and data["type"] not in _SEVERAL_VALUES:
        mistakes["accepts_multiple_values"] = Mistake("single")
    if data["type"] == "custom_object" and not _is_type(call.organization, data["referenced_custom_type_id"]):
        mistakes["referenced_custom_type_id"] = Mistake("missing")
    refuse(mistakes, call.options)
    return {**data, "editable_with_roles": accepted_roles(data["editable_with_roles"], call.roles(), call.options)}


def refuse_changed(call: Call, stored: Stored, changes: Mapping[str, Any], fixed: tuple[str, ...]) -> None:
    moved = [key for key in fixed if key in changes and changes[key] != stored.data[key]]
    refuse(dict.fromkeys(moved, Mistake("fixed")), call.options)


def fields_of(organization: Organization, type_id: str, *, listed_at: float | None = None) -> list[dict[str, Any]]:
    """Return a type's fields in their order: its own, and the shared ones with the settings of their association.

    ``listed_at`` leaves out the fields that lists do not show yet at that Unix time.
    """
    mine = (each for each in organization.fields.values() if each.data["custom_object_type_id"] == type_id)
    own = [each.data for each in mine if listed_at is None or each.is_listed(listed_at)]
    shared = [
        {**stored.data, **{key: association.get(key) for key in ("required", "editable_with_roles")}}
        for stored in organization.shared_fields.values()
        for association in stored.data["associations"]
        if association.get("custom_object_type_id") == type_id
        and (
            listed_at is None
            or organization.is_association_listed(stored.id, f"custom_object_type/{type_id}", listed_at)
        )
    ]
    order = {field_id: place for place, field_id in enumerate(organization.field_order.get(type_id, ()))}
    return sorted([*own, *shared], key=lambda data: order.get(data["id"], len(order)))


def referring_fields(organization: Organization, type_id: str) -> list[Stored]:
    """Return the fields of any type that reference this type."""
    return [f for f in organization.fields.values() if f.data["referenced_custom_type_id"] == type_id]


def nested(call: Call, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field as an entry of its type's ``fields``."""
    keys = _NESTED if call.options.nested_fields == "bare" else _NESTED + _NESTED_IN_FULL
    shown = shown_field(call, data)
    return {key: shown.get(key) for key in keys}


def _is_type(organization: Organization, type_id: object) -> bool:
    return any(stored.id == type_id for stored in organization.existing_types())


def _refuse_duplicate(call: Call, type_id: str, name: str, besides: str | None = None) -> None:
    others = (data["name"] for data in fields_of(call.organization, type_id) if data["id"] != besides)
    refuse_duplicate("name", name, others, call.options.duplicate_field_names, call.options)
