"""Match the specs of a request to existing types and fields. Pure: the only module that decides identity."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.ledger.models import CREATE_RESOURCE, ResourceKey, ResourceKind
from provisioner.reconcile.plan import (
    Existing,
    Matches,
    ObservedState,
    association_operation,
    field_operation,
    resources_to_lock,
)


def match_resources(request: ProvisioningRequest, state: ObservedState, ids: Mapping[str, str]) -> Matches:
    """Match every spec of the request. ``ids``: the known ids of types in Close, by natural key."""
    types = match_types(request, state.types, ids)
    own = {(each.custom_object_type_id, each.natural_key): each for each in reversed(oldest_first(state.fields))}
    specs = {each.natural_key: each for each in request.types}
    existing: dict[ResourceKey, Mapping[str, Existing]] = {}
    for resource in resources_to_lock(request):
        if resource.kind is ResourceKind.SHARED_FIELD:
            shared = oldest_first(each for each in state.shared if each.natural_key == resource.name)
            existing[resource] = {CREATE_RESOURCE: shared[0]} if shared else {}
        else:
            existing[resource] = _existing_of_type(specs[resource.name], types[resource.name], state, own)
    return Matches(types, existing, own)


def match_types(
    request: ProvisioningRequest, types: Sequence[CustomObjectType], ids: Mapping[str, str]
) -> dict[str, list[CustomObjectType]]:
    """Return the matching types by natural key, oldest first. An existing type matches at most one spec."""
    keys = {each.natural_key for each in request.types}
    return {key: matching(types, key, ids.get(key), keys) for key in keys}


def matching(
    types: Iterable[CustomObjectType], key: str, close_id: str | None, desired: Collection[str] = ()
) -> list[CustomObjectType]:
    """Return the types with this natural key, oldest first; else the type with this id, which was renamed since.

    A renamed type whose new name is also ``desired`` matches only the spec of its new name.
    """
    types = list(types)
    by_name = [each for each in types if each.natural_key == key]
    renamed = (each for each in types if each.id == close_id and each.natural_key not in desired)
    return oldest_first(by_name) or list(renamed)


def _existing_of_type(
    spec: CustomObjectTypeSpec,
    types: Sequence[CustomObjectType],
    state: ObservedState,
    own: Mapping[tuple[str | None, str], CustomField],
) -> dict[str, Existing]:
    if not types:
        return {}
    existing: dict[str, Existing] = {CREATE_RESOURCE: types[0]}
    on_type = set(types[0].field_ids)
    associated = {each.natural_key: each for each in reversed(oldest_first(state.shared)) if each.id in on_type}
    for each in spec.fields:
        key = each.natural_key
        if each.shared and key in associated:
            existing[association_operation(key)] = associated[key]
        elif not each.shared and (types[0].id, key) in own:
            existing[field_operation(key)] = own[types[0].id, key]
    return existing


def oldest_first[Row: (CustomObjectType, CustomField)](rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda each: (created_at(each), each.id))


def created_at(each: CustomObjectType | CustomField) -> float:
    """Return when Close created it (Unix seconds); infinity when Close gives no valid date.

    Close writes 2020-08-07T15:18:33.797245 (UTC); some resources end in +00:00, some have no fraction.
    """
    try:
        moment = datetime.fromisoformat(each.date_created)
    except (TypeError, ValueError):
        return math.inf
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
