"""The creates that a request may send, whose creates are in doubt, and whether a resource is as one sends it. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import shared_field_desired
from provisioner.ledger.in_doubt import InDoubt
from provisioner.ledger.lease import CREATE_RESOURCE, ResourceKey, ResourceKind, ResourceRecord
from provisioner.reconcile.diff import agrees
from provisioner.reconcile.plan import Existing, field_operation, operation_of
from provisioner.reconcile.resolve import referenced_first

NOT_COMPARED = {"name", "references", "editable_with_roles"}
"""Keys of a spec that Close returns in other words, or that a person changed."""


def is_as_sent(desired: Mapping[str, Any], existing: Existing) -> bool:
    """Whether all keys but the name are as a create of this spec sends them."""
    return agrees({key: value for key, value in desired.items() if key not in NOT_COMPARED}, existing)


class Create(NamedTuple):
    """A create that a request may send. ``name``: the natural key. ``place``: its place in the order of sending."""

    name: str
    desired: Mapping[str, Any]
    place: int


def creates_of(request: ProvisioningRequest, resource: ResourceKey) -> dict[str, Create]:
    """Return the creates of a type or shared field, and of the type's own fields, by operation."""
    specs = [request.types[index] for index in referenced_first(request.types)]
    if resource.kind is ResourceKind.SHARED_FIELD:
        shared = [each for spec in specs for each in spec.fields if each.shared]
        found = [(place, each) for place, each in enumerate(shared) if each.natural_key == resource.name]
        creates = [Create(resource.name, shared_field_desired(each), place) for place, each in found]
        return {CREATE_RESOURCE: creates[0]} if creates else {}
    of_type: dict[str, Create] = {}
    for place, spec in enumerate(specs):
        if spec.natural_key == resource.name:
            of_type[CREATE_RESOURCE] = Create(resource.name, spec.desired(), place)
            for index, each in enumerate(spec.fields):
                if not each.shared:
                    is_last = each.reference_key in {other.natural_key for other in specs[place + 1 :]}
                    at = index + len(spec.fields) * is_last  # the referenced type is created first
                    of_type[field_operation(each.natural_key)] = Create(each.natural_key, each.desired(), at)
    return of_type


def operations_of(request: ProvisioningRequest, resource: ResourceKey) -> set[str]:
    """Return the creates of ``creates_of``, and the associations of the type with shared fields."""
    specs = [each for each in request.types if each.natural_key == resource.name]
    fields = [each for spec in specs for each in spec.fields] if resource.kind is ResourceKind.TYPE else []
    return {*creates_of(request, resource), *(operation_of(each) for each in fields)}


class Sender(NamedTuple):
    """Another request that holds a create in doubt. ``is_settled``: it knows the results of all of its creates."""

    request: ProvisioningRequest
    is_settled: bool


def senders_of(records: Mapping[ResourceKey, ResourceRecord]) -> set[str]:
    """Return the keys of all requests with creates in doubt."""
    entries = [each for record in records.values() for each in entries_of(record)]
    return {each.request for each in entries}


def entries_of(record: ResourceRecord) -> list[InDoubt]:
    """Return all creates in doubt under this resource, lost and orphaned."""
    return [*record.orphaned, *(each for entries in record.in_doubt.values() for each in entries)]
