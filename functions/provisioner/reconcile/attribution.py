"""Attribute observed resources to the requests that created them. Pure.

An observed resource is no longer in doubt. This module decides whether the observing request may also claim to have
created it. docs/explanation/how-once-is-kept.md draws which conclusions are safe, and when.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from provisioner.contract.request import IfExists, ProvisioningRequest
from provisioner.ledger.in_doubt import IN_DOUBT_SECONDS, InDoubt
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
SYNCHRONIZED_SECONDS = 2  # between the two while both are kept on time, with dates of whole seconds
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


class _Attribution(NamedTuple):
    claimant: Claimant
    renamed: Mapping[ResourceKey, ResourceRecord]

    def update(self, record: ResourceRecord, existing: Mapping[str, Existing]) -> ResourceRecord:
        """The record with what the observation shows. The type itself comes first: its creator may own its fields."""
        for operation, each in sorted(existing.items(), key=lambda item: item[0] != CREATE_RESOURCE):
            write = record.writes.get(operation)
            if write is None or write.close_id != each.id:
                record = self._unknown_write(record, operation, each)
            write = record.writes.get(operation)
            if write and (claimed := self._claimed(record, operation, each, write)) != write:
                record = record.with_write(operation, claimed)
            if operation == CREATE_RESOURCE:
                record = record.with_observed_id(each.id, self.claimant.now)
        return record

    def _unknown_write(self, record: ResourceRecord, operation: str, existing: Existing) -> ResourceRecord:
        """Attribute what no write is known for to the request whose create was in doubt."""
        create = self._create(record, operation, existing)
        if create is None or self._is_known_under_the_present_name(record, operation, existing):
            return self._of_another_id(record, operation, existing)
        is_certain = operation == CREATE_RESOURCE or operation in record.in_doubt or is_association(operation)
        if is_certain or abs(created_at(existing) - create.since) <= IN_DOUBT_SECONDS:
            return record.with_write(operation, self._attributed(record, operation, existing, create))
        return self._of_another_id(record, operation, existing)  # a field that was there before

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
        where Close gives no date, a create that was certainly sent comes before it. Close never says when a shared
        field was associated: after a kill it counts as done by the creator of the type, if no other request was killed.
        """
        in_doubt = record.in_doubt_about(operation)
        lost = [each for each in in_doubt if each.lost]
        if is_association(operation):
            creator = record.writes.get(CREATE_RESOURCE)
            is_only = creator is not None and {each.request for each in in_doubt} == {*creator.requests}
            return next(iter([*reversed(lost), *(in_doubt if is_only else ())]), None)
        dated = [each for each in in_doubt if created_at(existing) <= each.since + DATED_LAGS * self.claimant.lag]
        return next(iter([*dated, *reversed(lost), *reversed(in_doubt)]), None)

    def _attributed(self, record: ResourceRecord, operation: str, existing: Existing, create: InDoubt) -> AppliedWrite:
        """The write of the request that sent this create. If it certainly did, its content need not prove that."""
        was_sent = any(each.lost and each.request == create.request for each in record.in_doubt_about(operation))
        is_sure = was_sent or self._may_be_changed(record, create.since, {create.request})
        how = Provenance.ATTRIBUTED if is_sure else Provenance.OBSERVED
        return AppliedWrite(existing.id, self.claimant.now, how, (create.request,))

    @staticmethod
    def _may_be_changed(record: ResourceRecord, since: float, creators: Collection[str]) -> bool:
        """Whether the holder of a later lease died: an ``update`` may have changed what the create had made."""
        return any(each.since > since and each.request not in creators for each in record.orphaned)

    def _claimed(self, record: ResourceRecord, operation: str, existing: Existing, write: AppliedWrite) -> AppliedWrite:
        """The write as this request's own, if it may be; else as before, or as one that may have been changed."""
        if not write.is_unclaimed or not write.requests:
            return write
        request, now = self.claimant.record.id, self.claimant.now
        if self._may_be_changed(record, write.at, write.requests):
            write = write._replace(how=Provenance.ATTRIBUTED)
        if request not in write.requests:
            return write
        if self._is_renamed(record, operation, existing):  # perhaps this request created it
            return write._replace(at=now)
        if self._may_be_ours(record, operation, existing, write):
            return AppliedWrite(existing.id, now, Provenance.RECOVERED, (request,))
        return AppliedWrite(existing.id, now, Provenance.OBSERVED, ())

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
        return self._may_differ(record, operation, existing, write) or self._is_as_sent(
            record.resource, operation, existing
        )

    def _may_differ(self, record: ResourceRecord, operation: str, existing: Existing, write: AppliedWrite) -> bool:
        """Whether its content says nothing about its creator, and it was not there before this request."""
        update = record.writes.get(update_operation(operation))
        is_updated = update is not None and update.close_id == existing.id
        if not (write.how is Provenance.ATTRIBUTED or is_updated or is_edited(existing)):
            return False
        return created_at(existing) >= self.claimant.record.accepted_at - SYNCHRONIZED_SECONDS

    def _is_as_sent(self, resource: ResourceKey, operation: str, existing: Existing) -> bool:
        from provisioner.reconcile.creates import creates_of, is_as_sent  # noqa: PLC0415 - others start faster

        return is_as_sent(creates_of(self.claimant.request, resource)[operation].desired, existing)

    def _is_renamed(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """Whether a type is the result of a create in doubt by all but its name: then it cannot be known."""
        return operation == CREATE_RESOURCE and existing.natural_key != record.resource.name
