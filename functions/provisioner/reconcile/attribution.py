"""Attribute observed resources to the requests that created them. Pure.

An observed resource is no longer in doubt. This module decides whether the observing request may also claim to have
created it. docs/explanation/how-once-is-kept.md draws which conclusions are safe, and when.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from provisioner.contract.request import IfExists, ProvisioningRequest
from provisioner.ledger.in_doubt import IN_DOUBT_SECONDS, InDoubt, latest_landing
from provisioner.ledger.lease import (
    CREATE_RESOURCE,
    AppliedWrite,
    Provenance,
    ResourceKey,
    ResourceKind,
    ResourceRecord,
)
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.plan import Existing, Matches, created_at, is_association, is_edited, update_operation

CLOCK_SKEW_SECONDS = 300  # between Close's clock and ours
SYNCHRONIZED_SECONDS = 10  # between the two while both are kept on time
DATED_LAGS = 1.75
"""A create that is executed later than this many list lags is taken for the next one, which is sent after two."""


class Claimant(NamedTuple):
    """The request that observed Close. ``now``: when (Unix seconds). ``lag``: the list lag, in seconds."""

    record: RequestRecord
    request: ProvisioningRequest
    now: float
    lag: float


def with_observations(
    records: Mapping[ResourceKey, ResourceRecord], matches: Matches, claimant: Claimant
) -> dict[ResourceKey, ResourceRecord]:
    """Return the records updated from the observation.

    Existing resources are no longer in doubt, and are attributed to this request if it must have created them.
    """
    attribution = _Attribution(claimant, matches.renamed)
    return {resource: attribution.update(record, matches.existing[resource]) for resource, record in records.items()}


def created_types(records: Mapping[ResourceKey, ResourceRecord], request: RequestRecord) -> set[str]:
    """Return the natural keys of the types that this request created. It may complete them under any ``if_exists``."""
    types = {resource: record for resource, record in records.items() if resource.kind is ResourceKind.TYPE}
    return {resource.name for resource, record in types.items() if record.own_write(CREATE_RESOURCE, request.id)}


def _of_another_type(record: ResourceRecord) -> ResourceRecord:
    """The record when another type has the name: associations and updates that are recorded were of the former one."""
    kept = {
        operation: write
        for operation, write in record.writes.items()
        if write.how is not Provenance.UPDATED and not is_association(operation)
    }
    return replace(record, writes=kept)


class _Attribution(NamedTuple):
    claimant: Claimant
    renamed: Mapping[ResourceKey, ResourceRecord]

    def update(self, record: ResourceRecord, existing: Mapping[str, Existing]) -> ResourceRecord:
        """The record with what the observation shows. The type itself comes first: its creator may own its fields."""
        of_type = existing.get(CREATE_RESOURCE)
        if of_type and record.close_id not in {None, of_type.id}:
            record = _of_another_type(record)
        for operation, each in sorted(existing.items(), key=lambda item: item[0] != CREATE_RESOURCE):
            write = record.writes.get(operation)
            if write is None or write.close_id != each.id:
                record = self._unknown_write(record, operation, each, of_type)
            record = self._claimed(record, operation, each)
            if operation == CREATE_RESOURCE:
                record = record.with_observed_id(each.id, self.claimant.now)
        return record

    def _unknown_write(
        self, record: ResourceRecord, operation: str, existing: Existing, of_type: Existing | None
    ) -> ResourceRecord:
        """Attribute what no write is known for to the request whose create was in doubt."""
        if self._is_known_under_the_present_name(record, operation, existing):
            return self._of_another_id(record, operation, existing)
        if is_association(operation):
            return self._associated(record, operation, existing, of_type)
        if operation == CREATE_RESOURCE and record.close_id == existing.id:
            return record  # seen before any create that is in doubt now
        create = self._create(record, operation, existing)
        if create is None:
            return self._of_another_id(record, operation, existing)
        date = created_at(existing)
        is_without_date = date == math.inf and (operation == CREATE_RESOURCE or operation in record.in_doubt)
        if is_without_date or abs(date - create.since) <= IN_DOUBT_SECONDS:
            record = self._with_possible_update(record, operation, existing, create.since, {create.request})
            return record.with_write(operation, self._attributed(record, operation, existing, create))
        return self._of_another_id(record, operation, existing)  # it was there before, or is too young

    def _associated(
        self, record: ResourceRecord, operation: str, existing: Existing, of_type: Existing | None
    ) -> ResourceRecord:
        """Attribute an association, of which Close never says when it was made.

        The only request that can have sent it made it. After a kill that is the creator of the type: any other may have
        sent nothing. One that several can have sent is never claimed.
        """
        feasible = self._feasible(record, operation)
        senders = [each for each in feasible if not (of_type and self._is_younger(of_type, each))]
        requests = {each.request for each in senders}
        creator = record.writes.get(CREATE_RESOURCE)
        if len(requests) == 1 and (any(each.lost for each in senders) or (creator and requests <= {*creator.requests})):
            return record.with_write(operation, self._attributed(record, operation, existing, senders[-1]))
        if len(requests) > 1:
            write = AppliedWrite(existing.id, self.claimant.now, Provenance.OBSERVED, ())
            return record.with_write(operation, write)
        return self._of_another_id(record, operation, existing)

    def _is_known_under_the_present_name(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """Whether a request for the present name of a renamed type created the field, or may have."""
        present = self.renamed.get(record.resource)
        if present is None or operation == CREATE_RESOURCE:
            return False
        write = present.writes.get(operation)
        return operation in present.in_doubt or (write is not None and write.close_id == existing.id)

    def _of_another_id(self, record: ResourceRecord, operation: str, existing: Existing) -> ResourceRecord:
        """Forget who wrote what had the name before. A create in doubt may have made either of the two."""
        if not (write := record.writes.get(operation)):
            return record
        requests = write.requests if write.is_unclaimed else ()
        return record.with_write(operation, AppliedWrite(existing.id, self.claimant.now, Provenance.OBSERVED, requests))

    def _create(self, record: ResourceRecord, operation: str, existing: Existing) -> InDoubt | None:
        """The create, of those in doubt, that made what exists.

        A create is sent only when every earlier one has been absent for two lags. So what exists was created by the
        first one that had not been absent for so long when Close dated it. A holder that died may have sent nothing:
        where Close gives no date, a create that was certainly sent comes before it.
        """
        feasible = self._feasible(record, operation)
        lost = [each for each in feasible if each.lost]
        dated = [each for each in feasible if created_at(existing) <= each.since + DATED_LAGS * self.claimant.lag]
        return next(iter([*dated, *reversed(lost), *reversed(feasible)]), None)

    def _is_younger(self, existing: Existing, create: InDoubt) -> bool:
        """Whether Close dates it after a create could still be executed."""
        return create.since + DATED_LAGS * self.claimant.lag < created_at(existing) < math.inf

    def _feasible(self, record: ResourceRecord, operation: str) -> list[InDoubt]:
        """The creates in doubt that can have been sent: none is, before all earlier ones were absent for two lags."""
        in_doubt = record.in_doubt_about(operation)
        lag = self.claimant.lag
        return [
            each
            for number, each in enumerate(in_doubt)
            if all(each.since >= latest_landing(earlier.since, lag) for earlier in in_doubt[:number])
        ]

    def _attributed(self, record: ResourceRecord, operation: str, existing: Existing, create: InDoubt) -> AppliedWrite:
        """The write of the request that sent this create. If it certainly did, its content need not prove that."""
        was_sent = any(each.lost and each.request == create.request for each in record.in_doubt_about(operation))
        how = Provenance.ATTRIBUTED if was_sent else Provenance.OBSERVED
        return AppliedWrite(existing.id, self.claimant.now, how, (create.request,))

    def _with_possible_update(
        self, record: ResourceRecord, operation: str, existing: Existing, since: float, creators: Collection[str]
    ) -> ResourceRecord:
        """Note that the holder of a later lease died: an ``update`` may have changed what the create had made.

        A recorded update is kept: it says who sent it, and when it takes effect at the latest.
        """
        known = record.writes.get(update_operation(operation))
        if known and known.close_id == existing.id:
            return record
        if not any(each.since > since and each.request not in creators for each in record.orphaned):
            return record
        update = AppliedWrite(existing.id, self.claimant.now, Provenance.OBSERVED, ())
        return record.with_write(update_operation(operation), update)

    def _claimed(self, record: ResourceRecord, operation: str, existing: Existing) -> ResourceRecord:
        """The record with the write as this request's own, if it may be."""
        request, now = self.claimant.record.id, self.claimant.now
        write = record.writes.get(operation)
        if write is None or not write.is_unclaimed or not write.requests:
            return record
        record = self._with_possible_update(record, operation, existing, write.at, write.requests)
        if request not in write.requests:
            return record
        if self._is_postponed(record, operation, existing):
            return record.with_write(operation, write._replace(at=now))
        if self._may_be_ours(record, operation, existing, write):
            return record.with_write(operation, AppliedWrite(existing.id, now, Provenance.RECOVERED, (request,)))
        return record.with_write(operation, AppliedWrite(existing.id, now, Provenance.OBSERVED, ()))

    def _is_postponed(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """Whether it is not known yet: a type that is as its create sent it by all but its name, or a field of it."""
        if operation == CREATE_RESOURCE:
            return existing.natural_key != record.resource.name
        of_type = record.writes.get(CREATE_RESOURCE)
        return of_type is not None and of_type.is_unclaimed and self.claimant.record.id in of_type.requests

    def _may_be_ours(self, record: ResourceRecord, operation: str, existing: Existing, write: AppliedWrite) -> bool:
        """A holder that died may have created nothing: what it observed was older, or a person made it.

        Only ``update`` creates a field of a type that another request created, or that was there before.
        """
        request = self.claimant.record
        may_create = record.own_write(CREATE_RESOURCE, request.id) or self.claimant.request.if_exists is IfExists.UPDATE
        if operation != CREATE_RESOURCE and not may_create:
            return False
        if is_association(operation):
            return True  # Close does not say when it was associated
        if created_at(existing) < request.accepted_at - CLOCK_SKEW_SECONDS:
            return False
        return (
            write.how is Provenance.ATTRIBUTED
            or self._may_differ(record, operation, existing)
            or self._is_as_sent(record.resource, operation, existing)
        )

    def _may_differ(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """Whether its content says nothing about its creator, and it was not there before this request."""
        update = record.writes.get(update_operation(operation))
        is_updated = update is not None and update.close_id == existing.id
        is_of_its_time = created_at(existing) >= self.claimant.record.accepted_at - SYNCHRONIZED_SECONDS
        return is_of_its_time and (is_updated or is_edited(existing))

    def _is_as_sent(self, resource: ResourceKey, operation: str, existing: Existing) -> bool:
        from provisioner.reconcile.creates import creates_of, is_as_sent  # noqa: PLC0415 - others start faster

        return is_as_sent(creates_of(self.claimant.request, resource)[operation].desired, existing)
