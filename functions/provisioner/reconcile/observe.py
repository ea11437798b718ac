"""The look at Close that a request takes under its leases: what is there, and what that says of what was in doubt.

What may be concluded, and when, is drawn in docs/explanation/how-once-is-kept.md. Nothing is written here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from provisioner.close.models import CustomField, CustomObjectType, Role
from provisioner.contract.errors import RetryLater
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import (
    CREATE_RESOURCE,
    AppliedWrite,
    Lease,
    Provenance,
    RequestRecord,
    ResourceKey,
    ResourceKind,
)
from provisioner.reconcile.diff import created_at, oldest_first
from provisioner.reconcile.plan import ObservedState, is_association, resources_to_lock, type_resource
from provisioner.reconcile.planner import match_resources, needs_fields, needs_shared_fields
from provisioner.reconcile.resolve import needs_roles

CLOCK_SKEW_SECONDS = 300  # between Close's clock and ours


type Found = CustomObjectType | CustomField


class CloseReader(Protocol):
    """What one tenant's organization at Close shows. Lists are read at ``not_before`` (Unix seconds) or later.

    Everything raises ``Refused``, ``NotCreated`` or ``Busy``.
    """

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]: ...

    def fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def roles(self) -> Sequence[Role]: ...

    def type(self, close_id: str) -> CustomObjectType | None: ...


@dataclass(frozen=True, slots=True)
class Observer:
    """``now``: when it begins (Unix seconds); what is conclusive is decided by it. ``lag``: the list's, in seconds.

    ``known_id`` asks the ledger for the id of a type that is referred to and that Close's list does not show.
    """

    request: ProvisioningRequest
    organization: CloseReader
    leases: Mapping[ResourceKey, Lease]
    lag: float
    now: float
    known_id: Callable[[ResourceKey], str | None]

    def seen(self) -> ObservedState:
        """Close as it is. Raises ``Busy`` when what this service did lately is not to be seen yet."""
        operations = resources_to_lock(self.request)
        not_before = max(
            lease.not_before(operations[resource], self.now, self.lag) for resource, lease in self.leases.items()
        )
        seen = self._read(not_before)
        if unseen := self._unseen(seen):  # the lists may be from before that; or they lag
            seen = self._read(max(not_before, *(made.at for made in unseen)))
            deferrals = [made.at + self.lag - self.now for made in self._unseen(seen)]
            if any(wait > 0 for wait in deferrals):
                raise RetryLater("Close does not show yet what was made just now", max(deferrals))
        return seen

    def noted(self, seen: ObservedState, record: RequestRecord) -> dict[ResourceKey, Lease]:
        """The leases with what was found: that ends its doubt; and if this request may have made it, it did."""
        return {resource: self._noted(resource, lease, seen, record) for resource, lease in self.leases.items()}

    @property
    def type_ids(self) -> dict[str, str]:
        """Ids of the types that are wanted, by natural key, as the ledger knows them."""
        return {
            resource.name: lease.close_id
            for resource, lease in self.leases.items()
            if resource.kind is ResourceKind.TYPE and lease.close_id
        }

    # --- reading

    def _read(self, not_before: float) -> ObservedState:
        organization, request = self.organization, self.request
        listed = organization.types(not_before)
        types = [*listed, *self._unlisted(listed)]
        fields = organization.fields(not_before) if needs_fields(request) else ()
        needs_shared = needs_shared_fields(request, ObservedState(types, fields), self.type_ids)
        shared = organization.shared_fields(not_before) if needs_shared else ()
        return ObservedState(types, fields, shared, organization.roles() if needs_roles(request.types) else ())

    def _unlisted(self, listed: Sequence[CustomObjectType]) -> list[CustomObjectType]:
        """What the list does not show, although we know it to be there: it lags, or somebody deleted the type."""
        names, ids = {each.natural_key for each in listed}, {each.id for each in listed}
        known = {name: close_id for name, close_id in self._known_types(names).items() if name not in names}
        asked_for = (self.organization.type(close_id) for close_id in known.values() if close_id not in ids)
        return [each for each in asked_for if each]

    def _known_types(self, listed: set[str]) -> dict[str, str]:
        """Those that are wanted, and those that are referred to and not listed."""
        desired = {spec.natural_key for spec in self.request.types}
        fields = (each for spec in self.request.types for each in spec.fields)
        references = {key for each in fields if (key := each.reference_key)} - listed - desired
        asked_for = {key: self.known_id(type_resource(self.request.tenant, key)) for key in sorted(references)}
        return self.type_ids | {key: close_id for key, close_id in asked_for.items() if close_id}

    def _unseen(self, seen: ObservedState) -> list[AppliedWrite]:
        """What this service made lately and Close does not show."""
        shown = {each.id for each in (*seen.types, *seen.fields, *seen.shared)}
        unseen = []
        for resource, operations in resources_to_lock(self.request).items():
            lease, found = self.leases[resource], self._found(resource, seen).get(CREATE_RESOURCE)
            on_type = found.field_ids if isinstance(found, CustomObjectType) else ()
            made = {operation: lease.writes[operation] for operation in operations if operation in lease.writes}
            if lease.close_id:
                made[CREATE_RESOURCE] = AppliedWrite(lease.close_id, lease.last_observed_at, Provenance.OBSERVED, ())
            for operation, each in made.items():
                if each.close_id not in (on_type if is_association(operation) else shown):
                    unseen.append(each)
        return unseen

    # --- taking note

    def _noted(self, resource: ResourceKey, lease: Lease, seen: ObservedState, record: RequestRecord) -> Lease:
        for operation, found in self._found(resource, seen).items():
            made = lease.writes.get(operation)
            if made is None or made.close_id != found.id:
                lease = self._claimed(lease, operation, found, record)
            elif made.how is Provenance.OBSERVED and record.id in made.requests:
                lease = lease.has(operation, self._owned(lease, operation, found, record, made.requests))
            if operation == CREATE_RESOURCE:
                lease = lease.knows(found.id, self.now)
        return lease

    def _claimed(self, lease: Lease, operation: str, found: Found, record: RequestRecord) -> Lease:
        """Nobody is known to have made it."""
        in_doubt_requests = lease.in_doubt_requests(operation)
        is_ours = record.id in in_doubt_requests and self._may_be_ours(lease, operation, found, record)
        if is_ours or (in_doubt_requests and (operation in lease.in_doubt or operation == CREATE_RESOURCE)):
            return lease.has(operation, self._owned(lease, operation, found, record, in_doubt_requests))
        return lease

    def _owned(
        self, lease: Lease, operation: str, found: Found, record: RequestRecord, candidates: Sequence[str]
    ) -> AppliedWrite:
        """Nobody can know which of several made it, but whoever first says so is from then on the only one."""
        if record.id in candidates and self._may_be_ours(lease, operation, found, record):
            return AppliedWrite(found.id, self.now, Provenance.RECOVERED, (record.id,))
        others = tuple(each for each in dict.fromkeys(candidates) if each != record.id)
        return AppliedWrite(found.id, self.now, Provenance.OBSERVED, others)

    def _may_be_ours(self, lease: Lease, operation: str, found: Found, record: RequestRecord) -> bool:
        """A killed holder may have found an old one, and not have created anything."""
        if is_association(operation):
            return operation in lease.in_doubt  # when it was associated Close does not say
        return created_at(found) >= record.accepted_at - CLOCK_SKEW_SECONDS

    def _found(self, resource: ResourceKey, seen: ObservedState) -> Mapping[str, Found]:
        """Of each thing of the unit what is there."""
        if resource.kind is ResourceKind.SHARED_FIELD:
            shared = oldest_first(each for each in seen.shared if each.natural_key == resource.name)
            return {CREATE_RESOURCE: shared[0]} if shared else {}
        return match_resources(self.request, resource, seen, self.type_ids)
