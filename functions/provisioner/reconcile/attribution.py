"""Which request created what was observed. Pure.

An observation clears the in-doubt entries of what it shows. Whether the request that observes it may also call it its
own work is decided here. docs/explanation/how-once-is-kept.md draws what may be concluded, and when.
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
    """The records updated from the observation.

    Existing resources are no longer in doubt, and are attributed to this request if it may have created them.
    """
    attribution = _Attribution(request, now)
    return {resource: attribution.update(record, matches.existing[resource]) for resource, record in records.items()}


def created_types(records: Mapping[ResourceKey, ResourceRecord], request: RequestRecord) -> set[str]:
    """The natural keys of the types that this very request created.

    The request may complete them, whatever ``if_exists`` says.
    """
    types = {resource: record for resource, record in records.items() if resource.kind is ResourceKind.TYPE}
    return {resource.name for resource, record in types.items() if record.own_write(CREATE_RESOURCE, request.id)}


class _Attribution(NamedTuple):
    """Attributes what the request observed. ``now``: when it observed it (Unix seconds)."""

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
        """Attribute what no write is known for to the requests whose creates were in doubt."""
        candidates = record.in_doubt_requests(operation)
        is_ours = self.request.id in candidates and self._may_be_ours(record, operation, existing)
        if is_ours or (candidates and (operation in record.in_doubt or operation == CREATE_RESOURCE)):
            return record.with_write(operation, self._write(record, operation, existing, candidates))
        return record

    def _write(
        self, record: ResourceRecord, operation: str, existing: Existing, candidates: Sequence[str]
    ) -> AppliedWrite:
        """Which of several candidates created it cannot be known: the first one that claims it stays its creator."""
        if self.request.id in candidates and self._may_be_ours(record, operation, existing):
            return AppliedWrite(existing.id, self.now, Provenance.RECOVERED, (self.request.id,))
        others = tuple(each for each in dict.fromkeys(candidates) if each != self.request.id)
        return AppliedWrite(existing.id, self.now, Provenance.OBSERVED, others)

    def _may_be_ours(self, record: ResourceRecord, operation: str, existing: Existing) -> bool:
        """A holder that died may have observed an older resource, and not have created anything."""
        if is_association(operation):
            return operation in record.in_doubt  # Close does not say when it was associated
        return created_at(existing) >= self.request.accepted_at - CLOCK_SKEW_SECONDS
