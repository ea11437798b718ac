"""``/custom_field/shared/`` with its associations, and the order of a type's fields."""

from collections.abc import Mapping
from typing import Any

from infra.simulator.api.custom_fields import (
    COMMON_RULES,
    complete,
    fields_of,
    refuse_beyond_plan,
    refuse_changed,
    shown_field,
    validated,
)
from infra.simulator.api.requests import DELETED, Call
from infra.simulator.api.responses import Mistake, Refused, Response, json_response, not_found
from infra.simulator.api.validation import Rule, Rules, checked, refuse
from infra.simulator.state import Stored, new_id

_ASSOCIATION_RULES: Rules = {
    "object_type": Rule(
        "choice",
        required=True,
        choices=("lead", "contact", "opportunity", "custom_activity_type", "custom_object_type"),
    ),
    "custom_object_type_id": Rule("text"),
    "custom_activity_type_id": Rule("text"),
    "required": Rule("flag"),
    "editable_with_roles": Rule("texts", nullable=True),
}
ASSOCIATION_KEYS = tuple(_ASSOCIATION_RULES)
_WITH_TYPE = ("custom_object_type", "custom_activity_type")


def list_shared(call: Call) -> Response:
    return call.paged(
        [shown_shared(call, each) for each in call.organization.shared_fields.values() if call.is_listed(each)]
    )


def create_shared(call: Call) -> Response:
    """Create a shared field. Its response is 200, unlike that of a type's own field."""
    data = checked(call.body, COMMON_RULES, call.options, partial=False, ignored=("associations",))
    refuse_beyond_plan(call)
    stored = store_shared(call, data)
    return json_response(shown_shared(call, stored))


def store_shared(call: Call, data: Mapping[str, Any]) -> Stored:
    """Store a shared field. Raises ``Refused`` if its keys contradict each other."""
    defaults = {"id": new_id("cf"), "associations": []}
    stored = call.stored_now(call.signed(**{**defaults, **complete(call, data)}, is_shared=True))
    call.organization.shared_fields[stored.id] = stored
    return stored


def get_shared(call: Call) -> Response:
    return call.one(shown_shared(call, call.stored("shared_fields")))


def update_shared(call: Call) -> Response:
    stored = call.stored("shared_fields")
    changes = checked(call.body, COMMON_RULES, call.options, partial=True, ignored=("associations",))
    refuse_changed(call, stored, changes, ("type", "referenced_custom_type_id"))
    call.update(stored, validated(call, {**stored.data, **changes}))
    return json_response(shown_shared(call, stored))


def delete_shared(call: Call) -> Response:
    del call.organization.shared_fields[call.stored("shared_fields").id]
    return json_response({})


def associate(call: Call) -> Response:
    stored = call.stored("shared_fields")
    data = checked(call.body, _ASSOCIATION_RULES, call.options, partial=False)
    return json_response(store_association(call, stored, data), 201)


def store_association(call: Call, stored: Stored, data: Mapping[str, Any]) -> dict[str, Any]:
    """Associate a shared field. Raises ``Refused`` for an unknown type and for a second association of its kind."""
    if data["object_type"] in _WITH_TYPE and f"{data['object_type']}_id" not in data:
        refuse({f"{data['object_type']}_id": Mistake("required")}, call.options)
    if data["object_type"] == "custom_object_type":
        call.find("types", data["custom_object_type_id"])
    association: dict[str, Any] = {"editable_with_roles": [], "required": False, **data}
    if _address(association) in map(_address, stored.data["associations"]):
        refuse({"object_type": Mistake("taken")}, call.options)
    stored.data["associations"].append(association)
    listed_from = call.now() + call.options.list_lag_seconds
    call.organization.associations_listed_from[stored.id, _address(association)] = listed_from
    return association


def get_association(call: Call) -> Response:
    return json_response(_association(call))


def update_association(call: Call) -> Response:
    association = _association(call)
    rules = {key: _ASSOCIATION_RULES[key] for key in ("required", "editable_with_roles")}
    association.update(checked(call.body, rules, call.options, partial=True, ignored=_ASSOCIATION_RULES))
    return json_response(association)


def delete_association(call: Call) -> Response:
    association = _association(call)
    call.stored("shared_fields").data["associations"].remove(association)
    return DELETED["204"]


def get_order(call: Call) -> Response:
    return json_response(_schema(call, call.stored("types")))


def put_order(call: Call) -> Response:
    """Order the fields (``{"fields": [{"id"}, …]}``). Omitted fields move to the end."""
    stored = call.stored("types")
    entries = call.body.get("fields")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
        refuse({"fields": Mistake("texts")}, call.options)
        raise AssertionError("unreachable")
    ordered = [str(entry["id"]) for entry in entries]
    present = [data["id"] for data in fields_of(call.organization, stored.id)]
    if not set(ordered) <= set(present):
        refuse({"fields": Mistake("missing")}, call.options)
    call.organization.field_order[stored.id] = ordered + [field_id for field_id in present if field_id not in ordered]
    return json_response(_schema(call, stored))


def _schema(call: Call, stored: Stored) -> dict[str, Any]:
    return {
        "name": stored.data["name"],
        "object_type": "custom_object",
        "organization_id": call.organization.id,
        "fields": [shown_field(call, data) for data in fields_of(call.organization, stored.id)],
    }


def shown_shared(call: Call, stored: Stored) -> dict[str, Any]:
    shown = shown_field(call, stored.data)
    return {key: value for key, value in shown.items() if key != "required"}


def _address(association: dict[str, Any]) -> str:
    """Return the path of an association below its field: ``lead``, ``custom_object_type/<id>`` and so on."""
    kind = str(association["object_type"])
    return f"{kind}/{association[f'{kind}_id']}" if kind in _WITH_TYPE else kind


def _association(call: Call) -> dict[str, Any]:
    address = call.parameters["address"]
    associations: list[dict[str, Any]] = call.stored("shared_fields").data["associations"]
    for association in associations:
        if _address(association) == address:
            return association
    raise Refused(not_found(address))
