"""Compute the digest of a plan. It changes with the specs and with all that the plan depends on in Close. Pure."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.spec import ASSOCIATION_KEYS
from provisioner.reconcile.field_planner import PlanContext
from provisioner.reconcile.resolve import with_role_ids

DIGEST_KEYS = (
    *(
        "name",
        "name_plural",
        "description",
        "api_create_only",
        "editable_with_roles",
        "is_archived",
        "type",
        "required",
    ),
    *("accepts_multiple_values", "choices", "referenced_custom_type_id", "back_reference_is_visible"),
)
"""The keys of types and fields that plans depend on. Dates are not among them."""


def plan_digest(context: PlanContext) -> str:
    """Return the plan's digest: SHA-256, in hex."""
    request, state = context.request, context.state
    types = {each.id: each for rows in context.matches.types.values() for each in rows}
    fields = [each for each in state.fields if each.custom_object_type_id in types]
    document = {
        "desired": [spec.content for spec in request.types],
        "if_exists": request.if_exists,
        "tenant": [request.tenant, state.organization],
        "roles": [with_role_ids(each, state.roles, "").get("editable_with_roles") for each in _desired(context)],
        "references": sorted([key, context.references.get(key, "")] for key in _referenced(context)),
        "types": sorted([each.id, _content(each), _rows(each)] for each in types.values()),
        "fields": sorted([each.id, _content(each)] for each in fields),
        "shared": sorted([each.id, _content(each)] for each in context.shared_fields),
    }
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _desired(context: PlanContext) -> Iterator[dict[str, Any]]:
    for spec in context.request.types:
        yield spec.desired()
        yield from (each.desired() for each in spec.fields)


def _referenced(context: PlanContext) -> set[str]:
    return {each.reference_key for spec in context.request.types for each in spec.fields if each.reference_key}


def _rows(each: CustomObjectType) -> list[list[Any]]:
    """Return the type's fields in order, each with the values of its association."""
    rows = ((close_id, each.field_row(close_id)) for close_id in each.field_ids)
    return [[close_id, *(row.get(key) or None for key in sorted(ASSOCIATION_KEYS))] for close_id, row in rows]


def _content(each: CustomObjectType | CustomField) -> str:
    document = each.model_dump(mode="json")
    return json.dumps([document.get(key) or None for key in DIGEST_KEYS], sort_keys=True)
