"""Which existing types, fields and shared fields a request's specs mean. Pure: the only place that decides identity.

A spec means what has its name. Where nothing has its name, it means what this service knows to have had it: by the id
that the ledger remembers or, for a type whose create is in doubt, by everything that the create sent but the name
(look_alikes.py). Such a resource is *renamed*: it is reported and never written to, because a request for its present
name holds another lease. Only to associate a renamed shared field writes to the type, under the type's lease.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec, FieldSpec
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey, ResourceKind, ResourceRecord
from provisioner.reconcile.plan import (
    Existing,
    Matches,
    ObservedState,
    association_operation,
    field_operation,
    is_update,
    oldest_first,
    shared_field_resource,
    type_resource,
)

if TYPE_CHECKING:
    from provisioner.reconcile.look_alikes import Background

type Records = Mapping[ResourceKey, ResourceRecord]


def match_resources(
    request: ProvisioningRequest, state: ObservedState, records: Records, background: "Background | None" = None
) -> Matches:
    """Match every spec of the request. ``records``: of all its resources."""
    types = match_types(request, state, records)
    found = (
        Matches(types, {}, {}) if not is_in_doubt(records) else _in_doubt(request, state, records, types, background)
    )
    own = {(each.custom_object_type_id, each.natural_key): each for each in reversed(oldest_first(state.fields))}
    specs = {each.natural_key: each for each in request.types}
    shared_keys = {each.natural_key for spec in specs.values() for each in spec.fields if each.shared}
    existing: dict[ResourceKey, dict[str, Existing]] = {}
    for resource in sorted(records):  # shared fields come first
        if resource.kind is ResourceKind.SHARED_FIELD:
            existing[resource] = _existing_shared_field(records[resource], state.shared, shared_keys)
        else:
            existing[resource] = _existing_of_type(specs[resource.name], records[resource], types, state, own)
            existing[resource] |= _renamed_associations(specs[resource.name], types, state.organization, existing)
    return found._replace(existing=existing, own_fields=own)


def is_in_doubt(records: Records) -> bool:
    """Whether any create under these resources may still land."""
    return not all(each.is_certain for each in records.values())


def _in_doubt(
    request: ProvisioningRequest,
    state: ObservedState,
    records: Records,
    types: dict[str, list[CustomObjectType]],
    background: "Background | None",
) -> Matches:
    """Add the types that are taken for renamed ones, and all that may be the result of a create in doubt."""
    from provisioner.reconcile.look_alikes import NOTHING_ELSE, Search  # noqa: PLC0415 - others start faster

    found = Search(request, state, records, types, background or NOTHING_ELSE).conclusions()
    types |= {key: [each] for key, each in found.renamed.items()}
    return Matches(types, {}, {}, found.look_alikes, found.undecided, found.present)


def match_types(
    request: ProvisioningRequest, state: ObservedState, records: Records
) -> dict[str, list[CustomObjectType]]:
    """Return the types that match by name or id, by natural key, oldest first. A type matches at most one spec."""
    keys = [each.natural_key for each in request.types]
    return {key: _matching(records[type_resource(state.organization, key)], state, keys) for key in keys}


def _matching(record: ResourceRecord, state: ObservedState, desired: Collection[str]) -> list[CustomObjectType]:
    """The types with this name: the known one first, then the oldest. Without any, the one with the known id.

    A renamed type whose new name is also ``desired`` matches only the spec of its new name.
    """
    if by_name := [each for each in state.types if each.natural_key == record.resource.name]:
        return sorted(oldest_first(by_name), key=lambda each: each.id != record.close_id)
    return [each for each in state.types if each.natural_key not in desired and each.id == record.close_id]


def _existing_shared_field(
    record: ResourceRecord, shared: Sequence[CustomField], desired: Collection[str]
) -> dict[str, Existing]:
    """The shared field with this name, or else the one with the known id: never the one that another spec names."""
    by_name = oldest_first(each for each in shared if each.natural_key == record.resource.name)
    others = (each for each in shared if each.natural_key not in desired)
    found = by_name or [each for each in others if each.id == record.close_id]
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


def _renamed_associations(
    spec: CustomObjectTypeSpec,
    types: Mapping[str, Sequence[CustomObjectType]],
    organization: str,
    existing: Mapping[ResourceKey, Mapping[str, Existing]],
) -> dict[str, Existing]:
    """The associations of the type with shared fields that a person renamed: those are known by their ids."""
    on_type = {close_id for each in types[spec.natural_key][:1] for close_id in each.field_ids}
    found: dict[str, Existing] = {}
    for each in spec.fields:
        known = existing[shared_field_resource(organization, each.natural_key)] if each.shared else {}
        shared = known.get(CREATE_RESOURCE)
        if shared and shared.id in on_type and shared.natural_key != each.natural_key:
            found[association_operation(each.natural_key)] = shared
    return found


def _other_fields(
    spec: CustomObjectTypeSpec, existing: CustomObjectType, record: ResourceRecord, state: ObservedState
) -> list[CustomField]:
    """The type's own fields that have no name of the spec, and are not created by another operation."""
    names = {each.natural_key for each in spec.fields}
    operations = set(map(field_operation, names))
    others = (each for each in record.writes if each not in operations and not is_update(each))
    known = {record.writes[each].close_id for each in others}
    own = (each for each in state.fields if each.custom_object_type_id == existing.id)
    return [each for each in own if each.natural_key not in names and each.id not in known]


def _renamed_field(spec: FieldSpec, record: ResourceRecord, others: Sequence[CustomField]) -> CustomField | None:
    """Return the field that the spec's name meant before, by its id."""
    write = record.writes.get(field_operation(spec.natural_key))
    return next((each for each in others if write and each.id == write.close_id), None)
