"""Existing resources that look like results of creates in doubt, but for their names. Pure.

A person may rename a type or field while its create is in doubt. Then nothing has its name, and to create it would
create it twice. So every type and field counts that has all else that was sent, and a date near the create's, unless
it is certain that it is something else:

- this service knows that another create of it was confirmed, or observed it before the create in doubt was sent;
- the sender of the create in doubt asks for its present name, too, and creates that one first.

A type that nothing else explains is taken for the renamed one. Of everything else it cannot be known whether a person
renamed it: it is listed under ``look_alikes``, nothing is created, and the request ends as ``unresolved``.

This module is imported when a create is in doubt, so that all other processes start faster.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from provisioner.close.models import CustomObjectType
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.in_doubt import IN_DOUBT_SECONDS, InDoubt, next_observation
from provisioner.ledger.lease import (
    CREATE_RESOURCE,
    AppliedWrite,
    Provenance,
    ResourceKey,
    ResourceKind,
    ResourceRecord,
)
from provisioner.reconcile.creates import Create, Sender, creates_of, entries_of, is_as_sent, operations_of
from provisioner.reconcile.plan import EMPTY, Existing, ObservedState, created_at, field_operation

SENT_SECONDS = 90
"""A create in doubt was sent within this time before its ``since``: a lease's length."""

type Records = Mapping[ResourceKey, ResourceRecord]


class LookAlike(NamedTuple):
    """An existing resource that may be the result of a create in doubt, renamed by a person, or something else.

    ``leased_until``: the end of the lease of a request that may have created it under its present name (Unix seconds).
    """

    close_id: str
    name: str
    leased_until: float = 0


class Background(NamedTuple):
    """The ledger's knowledge of others: the senders of creates in doubt by their keys, and records of present names.

    ``now``: when Close was observed (Unix seconds). ``lag``: the list lag, in seconds.
    """

    senders: Mapping[str, Sender] = EMPTY
    records: Records = EMPTY
    now: float = math.inf
    lag: float = 0

    def is_conclusive(self, record: ResourceRecord) -> bool:
        """Whether every create in doubt of the resource itself has to be visible by now."""
        return next_observation(record.in_doubt_about(CREATE_RESOURCE), self.now, self.lag) is None


NOTHING_ELSE = Background()


class Conclusions(NamedTuple):
    """``renamed``: the types that are taken for renamed ones, by natural key. ``undecided``: by resource, the requests
    with orphaned creates whose results this observation does not show. ``present``: the ledger's record of the present
    name, by the resource of a renamed type.
    """

    renamed: Mapping[str, CustomObjectType] = EMPTY
    look_alikes: Mapping[tuple[ResourceKey, str], tuple[LookAlike, ...]] = EMPTY
    undecided: Mapping[ResourceKey, frozenset[str]] = EMPTY
    present: Records = EMPTY


class _PossibleCreate(NamedTuple):
    """One create that may have been sent: by whom, and of what."""

    entry: InDoubt
    sender: ProvisioningRequest
    record: ResourceRecord
    operation: str
    create: Create

    @property
    def is_of_resource(self) -> bool:
        return self.operation == CREATE_RESOURCE

    def is_near(self, row: Existing) -> bool:
        return abs(created_at(row) - self.entry.since) <= IN_DOUBT_SECONDS

    def rules_out(self, write: AppliedWrite, row: Existing) -> bool:
        """Whether this write of the service proves that the row is not the result of this create."""
        is_older = write.at < self.entry.since - SENT_SECONDS
        return write.close_id == row.id and (write.how is Provenance.CREATED or is_older)

    def is_sent_after(self, row: Existing, rows: Sequence[Existing]) -> bool:
        """Whether the sender creates the row's name first: then it exists since before this create."""
        resource = self.record.resource
        if self.is_of_resource:
            resource = resource._replace(name=row.natural_key)
        operation = CREATE_RESOURCE if self.is_of_resource else field_operation(row.natural_key)
        earlier, place = creates_of(self.sender, resource).get(operation), self.create.place
        if earlier is None or earlier.place >= place:
            return False
        known = None if self.is_of_resource else self.record.writes.get(operation)
        is_only = sum(each.natural_key == row.natural_key for each in rows) == 1
        return is_only and (known is None or known.close_id == row.id)


class Search(NamedTuple):
    """The search for one observation. ``types``: those that match the request's specs by name or id."""

    request: ProvisioningRequest
    state: ObservedState
    records: Records
    types: Mapping[str, Sequence[CustomObjectType]]
    background: Background = NOTHING_ELSE

    def present_names(self) -> set[ResourceKey]:
        """Return the resources, by their present names, of which the ledger may know who created them.

        They are those of look-alikes, and of renamed types: a request for the present name may have added fields.
        """
        found = (
            (possible, row)
            for possible in self._possible_creates()
            if possible.is_of_resource
            for row in self._candidates(possible)
        )
        names = {possible.record.resource._replace(name=row.natural_key) for possible, row in found}
        return (names | {*self._renamed().values()}) - self.records.keys()

    def _renamed(self) -> dict[ResourceKey, ResourceKey]:
        """Return the resources of types that are known by their ids, each with that of its present name."""
        types = {each: self.types[each.name][0] for each in self.records if self.types.get(each.name)}
        return {
            resource: resource._replace(name=existing.natural_key)
            for resource, existing in types.items()
            if resource.kind is ResourceKind.TYPE and existing.natural_key != resource.name
        }

    def conclusions(self) -> Conclusions:
        found: dict[tuple[ResourceKey, str], dict[str, LookAlike]] = {}
        unexplained: dict[ResourceKey, dict[str, Existing]] = {}
        for possible in self._possible_creates():
            resource = possible.record.resource
            for row in self._candidates(possible):
                explained, leased_until = self._explanation(possible, row)
                found.setdefault((resource, possible.operation), {})[row.id] = LookAlike(row.id, row.name, leased_until)
                if not explained:
                    unexplained.setdefault(resource, {})[row.id] = row
        renamed: dict[str, CustomObjectType] = {}
        for resource, rows in unexplained.items():
            row = next(iter(rows.values()))
            is_only = len(found[resource, CREATE_RESOURCE]) == 1
            if isinstance(row, CustomObjectType) and is_only and self.background.is_conclusive(self.records[resource]):
                renamed[resource.name] = row
                del found[resource, CREATE_RESOURCE]
        look_alikes = {key: tuple(each.values()) for key, each in found.items()}
        undecided = {resource: self._undecided(record, look_alikes) for resource, record in self.records.items()}
        known = self.background.records
        present = {resource: known[name] for resource, name in self._renamed().items() if name in known}
        return Conclusions(renamed, look_alikes, undecided, present)

    def _possible_creates(self) -> Iterator[_PossibleCreate]:
        """Yield every create that may have been sent and whose result has neither its name nor a known id."""
        for resource, record in self.records.items():
            for entry in dict.fromkeys(entries_of(record)):
                sender = self._sender(entry)
                if sender is None:
                    continue
                for operation, create in creates_of(sender, resource).items():
                    possible = _PossibleCreate(entry, sender, record, operation, create)
                    sent_this = entry in record.in_doubt_about(operation)
                    if sent_this and not self._is_found(possible):
                        yield possible

    def _sender(self, entry: InDoubt) -> ProvisioningRequest | None:
        """The request that sent it; the observing one for a sender that is not known, None for one that knows all."""
        known = self.background.senders.get(entry.request)
        if known and known.is_settled:
            return None
        return known.request if known else self.request

    def _is_found(self, possible: _PossibleCreate) -> bool:
        write = possible.record.writes.get(possible.operation)
        known = {write.close_id} if write else set()
        if possible.is_of_resource and possible.record.close_id:
            known.add(possible.record.close_id)
        return any(each.natural_key == possible.create.name or each.id in known for each in self._rows(possible))

    def _rows(self, possible: _PossibleCreate) -> Sequence[Existing]:
        """Everything that the create may have created: all of its kind, for a field of the same type."""
        resource = possible.record.resource
        if resource.kind is ResourceKind.SHARED_FIELD:
            return self.state.shared
        if possible.is_of_resource:
            return self.state.types
        ids = {each.id for each in self.types[resource.name][:1]}
        return [each for each in self.state.fields if each.custom_object_type_id in ids]

    def _candidates(self, possible: _PossibleCreate) -> list[Existing]:
        rows, desired = self._rows(possible), possible.create.desired
        alike = [each for each in rows if possible.is_near(each) and is_as_sent(desired, each)]
        return [each for each in alike if not self._is_another(possible, each, rows)]

    def _is_another(self, possible: _PossibleCreate, row: Existing, rows: Sequence[Existing]) -> bool:
        """Whether the row is certainly not the result of this create."""
        resource = possible.record.resource
        if possible.is_of_resource:
            present = resource._replace(name=row.natural_key)
            record = self._record_of(present)
            writes = [record.writes[CREATE_RESOURCE]] if record and CREATE_RESOURCE in record.writes else []
        else:
            writes = [*possible.record.writes.values()]
        is_known = any(possible.rules_out(write, row) for write in writes)
        return is_known or possible.is_sent_after(row, rows)

    def _record_of(self, resource: ResourceKey) -> ResourceRecord | None:
        return self.records.get(resource) or self.background.records.get(resource)

    def _explanation(self, possible: _PossibleCreate, row: Existing) -> tuple[bool, float]:
        """Whether another request may have created it under its present name, and when that one's lease ends."""
        present = possible.record.resource._replace(name=row.natural_key)
        record = self.background.records.get(present)
        if not possible.is_of_resource or record is None:
            return not possible.is_of_resource or present in self.records, 0  # a request for both names creates none
        in_doubt = record.in_doubt_about(CREATE_RESOURCE)
        write = record.writes.get(CREATE_RESOURCE)
        # After a lost response, the write may have been taken for another resource of that name.
        is_guess = write is not None and write.how is not Provenance.CREATED
        return bool(in_doubt) or is_guess, max((each.since for each in record.orphaned), default=0)

    def _undecided(self, record: ResourceRecord, look_alikes: Collection[tuple[ResourceKey, str]]) -> frozenset[str]:
        resource, own = record.resource, operations_of(self.request, record.resource)
        alike = {operation for of, operation in look_alikes if of == resource}
        kept = set()
        for entry in record.orphaned:
            sender = self._sender(entry)
            others = operations_of(sender, resource) if sender else set()
            if alike & others or others - own:
                kept.add(entry.request)
        return frozenset(kept)
