"""Attribute observed resources to the requests that created them. Pure.

An observed resource is no longer in doubt. This module decides whether the observing request may also claim to have
created it. docs/explanation/how-once-is-kept.md draws which conclusions are safe, and when.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from provisioner.ledger.models import (
    CREATE_RESOURCE,
    AppliedWrite,
    Provenance,
    RequestRecord,
    ResourceKey,
    ResourceKind,
    ResourceRecord,
)
from provisioner.reconcile.match import created_at
from provisioner.reconcile.plan import Existing, Matches, is_association

CLOCK_SKEW_SECONDS = 300  # between Close's clock and ours


def with_observations(
    records: Mapping[ResourceKey, ResourceRecord], matches: Matches, request: RequestRecord, now: float
) -> dict[ResourceKey, ResourceRecord]:
    """Return the records updated from the observation.

    Existing resources are no longer in doubt, and are attributed to this request if it may have created them.
    """
    attribution = _Attribution(request, now)
    return {resource: attribution.update(record, matches.existing[resource]) for resource, record in records.items()}


def created_types(records: Mapping[ResourceKey, ResourceRecord], request: RequestRecord) -> set[str]:
    """Return the natural keys of the types that this request created. It may complete them under any ``if_exists``."""
    types = {resource: record for resource, record in records.items() if resource.kind is ResourceKind.TYPE}
    return {resource.name for resource, record in types.items() if record.own_write(CREATE_RESOURCE, request.id)}


class _Attribution(NamedTuple):
    """The attribution of one observation to one request. ``now``: the time of the observation (Unix seconds)."""

    request: RequestRecord
    now: float

    def update(self, record: ResourceRecord, existing: Mapping[str, Existing]) -> ResourceRecord:
        for operation, each in existing.items():
            write = record.writes.get(operation)
            if write is None or write.close_id != each.id:
                record = self._unknown_write(record, operation, each)
            elif write.how is Provenance.OBSERVED and self.request.id in write.requests:
                record = record.with_write(operation, self._write(record, operation, each, write.requests))
            if operation == CREATE_RESOURCE:
                record = record.with_observed_id(each.id, self.now)
        return record

    def _unknown_write(self, record: ResourceRecord, operation: str, existing: Existing) -> ResourceRecord:
        """Attribute a resource without a recorded write to the requests whose creates were in doubt."""
        candidates = record.in_doubt_requests(operation)
        is_ours = self.request.id in candidates and self._may_be_ours(record, operation, existing)
        if is_ours or (candidates and (operation in record.in_doubt or operation == CREATE_RESOURCE)):
            return record.with_write(operation, self._write(record, operation, existing, candidates))
        return record

    def _write(
        self, record: ResourceRecord, operation: str, existing: Existing, candidates: Sequence[str]
    ) -> AppliedWrite:
        """Return the write for an observed resource. Of several candidates, the first to observe it claims it."""
        if self.request.id in candidates and self._may_be_ours(record, operation, existing):
            return AppliedWrite(existing.id, self.now, Provenance.RECOVERED, (self.request.id,))
        others = tuple(each for each in dict.fromkeys(candidates) if each != self.request.id)
        return AppliedWrite(existing.id, self.now, Provenance.OBSERVED, others)

    def _may_be_ours(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """Return whether this request may have created it: a holder that died may have observed an older resource."""
        if is_association(operation):
            return operation in record.in_doubt  # Close gives no date of an association
        return created_at(existing) >= self.request.accepted_at - CLOCK_SKEW_SECONDS
