"""Which existing types, fields and shared fields a request's specs mean. Pure: the only place that decides identity.

A spec means what has its name. Where nothing has its name, it means what this service knows to have had it: by the id
that the ledger remembers or, while a create is in doubt, by all that the create sent but the name. Such a resource is
*renamed*: it is reported and never written to, because a request for its present name holds another lease.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec, FieldSpec, shared_field_desired
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey, ResourceKind, ResourceRecord
from provisioner.reconcile.diff import agrees
from provisioner.reconcile.plan import (
    Existing,
    Matches,
    ObservedState,
    association_operation,
    field_operation,
    resources_to_lock,
    type_resource,
)

IN_DOUBT_SECONDS = 300
"""How far the date of a resource may be from the time of the create that is in doubt: a lease's length, list lag and
the difference between two clocks."""

NOT_COMPARED = {"name", "references", "editable_with_roles"}
"""Keys of a spec that Close returns in other words, or that a person changed."""

type Records = Mapping[ResourceKey, ResourceRecord]


def match_resources(request: ProvisioningRequest, state: ObservedState, records: Records) -> Matches:
    """Match every spec of the request. ``records``: of all its resources."""
    types = match_types(request, state, records)
    own = {(each.custom_object_type_id, each.natural_key): each for each in reversed(oldest_first(state.fields))}
    specs = {each.natural_key: each for each in request.types}
    shared_specs = {each.natural_key: each for spec in specs.values() for each in spec.fields if each.shared}
    existing: dict[ResourceKey, Mapping[str, Existing]] = {}
    for resource in resources_to_lock(request, state.organization):
        if resource.kind is ResourceKind.SHARED_FIELD:
            existing[resource] = _existing_shared_field(shared_specs, records[resource], state.shared)
        else:
            existing[resource] = _existing_of_type(specs[resource.name], records[resource], types, state, own)
    return Matches(types, existing, own)


def match_types(
    request: ProvisioningRequest, state: ObservedState, records: Records
) -> dict[str, list[CustomObjectType]]:
    """Return the matching types by natural key, oldest first. An existing type matches at most one spec."""
    keys = {each.natural_key for each in request.types}
    return {
        spec.natural_key: _matching(spec, records[type_resource(state.organization, spec.natural_key)], state, keys)
        for spec in request.types
    }


def _matching(
    spec: CustomObjectTypeSpec, record: ResourceRecord, state: ObservedState, desired: Collection[str]
) -> list[CustomObjectType]:
    """The types with this name: the known one first, then the oldest. Without any, the renamed one.

    A renamed type whose new name is also ``desired`` matches only the spec of its new name.
    """
    if by_name := [each for each in state.types if each.natural_key == spec.natural_key]:
        return sorted(oldest_first(by_name), key=lambda each: each.id != record.close_id)
    others = [each for each in state.types if each.natural_key not in desired]
    if by_id := [each for each in others if each.id == record.close_id]:
        return by_id
    return _created_in_doubt(others, spec.desired(), record.in_doubt_about(CREATE_RESOURCE))[:1]


def _created_in_doubt[Row: (CustomObjectType, CustomField)](
    rows: Iterable[Row], desired: Mapping[str, Any], in_doubt: Iterable[InDoubt]
) -> list[Row]:
    """The results of creates in doubt that a person renamed since: the rest is as it was sent."""
    times = [each.since for each in in_doubt]
    in_time = (each for each in rows if any(abs(created_at(each) - at) <= IN_DOUBT_SECONDS for at in times))
    return [each for each in in_time if is_as_sent(desired, each)]


def is_as_sent(desired: Mapping[str, Any], existing: Existing) -> bool:
    """Whether all keys but the name are as a create of this spec sends them."""
    return agrees({key: value for key, value in desired.items() if key not in NOT_COMPARED}, existing)


def _existing_shared_field(
    specs: Mapping[str, FieldSpec], record: ResourceRecord, shared: Sequence[CustomField]
) -> dict[str, Existing]:
    by_name = oldest_first(each for each in shared if each.natural_key == record.resource.name)
    found = by_name or [each for each in shared if each.id == record.close_id]
    if not found:
        others = [each for each in shared if each.natural_key not in specs]
        desired = shared_field_desired(specs[record.resource.name])
        found = _created_in_doubt(others, desired, record.in_doubt_about(CREATE_RESOURCE))
    return {CREATE_RESOURCE: found[0]} if found else {}


def _existing_of_type(
    spec: CustomObjectTypeSpec,
    record: ResourceRecord,
    types: Mapping[str, Sequence[CustomObjectType]],
    state: ObservedState,
    own: Mapping[tuple[str | None, str], CustomField],
) -> dict[str, Existing]:
    matching = types[spec.natural_key]
    if not matching:
        return {}
    existing: dict[str, Existing] = {CREATE_RESOURCE: matching[0]}
    on_type = set(matching[0].field_ids)
    associated = {each.natural_key: each for each in reversed(oldest_first(state.shared)) if each.id in on_type}
    others = _other_fields(spec, matching[0], record, state)
    for each in spec.fields:
        key = each.natural_key
        if each.shared and (found := associated.get(key)):
            existing[association_operation(key)] = found
        elif not each.shared and (found := own.get((matching[0].id, key)) or _renamed_field(each, record, others)):
            existing[field_operation(key)] = found
            others = [other for other in others if other.id != found.id]
    return existing


def _other_fields(
    spec: CustomObjectTypeSpec, existing: CustomObjectType, record: ResourceRecord, state: ObservedState
) -> list[CustomField]:
    """The type's own fields that have no name of the spec, and are not the result of another operation.

    A field with the name of a create in doubt is taken for the result of that one.
    """
    operations = {field_operation(each.natural_key): each.natural_key for each in spec.fields}
    known = {write.close_id for operation, write in record.writes.items() if operation not in operations}
    own = (each for each in state.fields if each.custom_object_type_id == existing.id and each.id not in known)
    return [
        each
        for each in own
        if each.natural_key not in operations.values() and field_operation(each.natural_key) not in record.in_doubt
    ]


def _renamed_field(spec: FieldSpec, record: ResourceRecord, others: Sequence[CustomField]) -> CustomField | None:
    """Return the field that the spec's name meant before: by its id or, if its create is in doubt, by all else sent."""
    operation = field_operation(spec.natural_key)
    write = record.writes.get(operation)
    if by_id := [each for each in others if write and each.id == write.close_id]:
        return by_id[0]
    known = {write.close_id for write in record.writes.values()}
    unknown = [each for each in others if each.id not in known]
    return next(iter(_created_in_doubt(unknown, spec.desired(), record.in_doubt_about(operation))), None)


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
