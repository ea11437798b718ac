"""The ledger: a DynamoDB table that records requests and resources, and a transactional outbox for outcomes.

models.py and lease.py draw how items change; expressions.py, bindings.py and unbegun.py build the writes. A failed
condition returns the item that it conflicts with, so that nothing is read twice.
"""

import heapq
import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract import truncation
from provisioner.contract.errors import RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import UNKNOWN_REQUESTER, ProvisioningRequest, Requester
from provisioner.ledger import acceptance, bindings, expressions, items, unbegun, unfinished
from provisioner.ledger.conflicts import conflicting_item, transaction_conflicts, write
from provisioner.ledger.lease import Lease, ResourceKey, ResourceRecord
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, RequestRecord, TenantRecord
from provisioner.ledger.waitlist import TenantWaitlist
from provisioner.settings import Settings

LEASE_BUSY_SECONDS = (1.0, 2.0)  # holders work for about a second; the spread keeps waiting requests apart
MAX_LEASE_BUSY_SECONDS = 60
MAX_BUSY_DOUBLINGS = 6  # of that time; more would exceed MAX_LEASE_BUSY_SECONDS


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger. Durations are in seconds, ``clock`` returns Unix seconds.

    Every method raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    dynamodb: Any
    table: str
    lease_seconds: float
    retention_days: int
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, dynamodb: Any, clock: Callable[[], float]) -> Self:
        return cls(dynamodb, settings.ledger_table_name, settings.lease_seconds, settings.request_retention_days, clock)

    def accept(
        self,
        request: ProvisioningRequest,
        expected_after: float = expressions.OVERDUE_SECONDS,
        requester: Requester = UNKNOWN_REQUESTER,
        settled: acceptance.SettledAtOnce | None = None,
    ) -> RequestRecord:
        """Record the request, or find it. Raises ``Rejected`` when its id was used for other content.

        ``expected_after``: seconds within which its message must return. The sweeper ignores it until then.
        ``settled``: a new request is settled with its acceptance, in one write.
        """
        times = self.accept_times(expected_after)
        put = expressions.accept_input(self.table, request, uuid.uuid4().hex, times, requester)
        put["Item"] |= settled.attributes(times.now) if settled else {}
        try:
            write(self.dynamodb.put_item, put)
        except ClientError as error:
            return acceptance.known_record(conflicting_item(error), request, put)
        return acceptance.fresh_record(put)

    def accept_times(self, expected_after: float) -> expressions.AcceptTimes:
        """Return the times of a request that is accepted now."""
        now = self.clock()
        return expressions.AcceptTimes(now, now + expected_after, now + self.retention_days * 86_400)

    def find(self, request_key: str) -> RequestRecord | None:
        """Return the record of the request with this key, or None."""
        item = self.get(items.request_item_key(request_key))
        return items.to_record(item) if item else None

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        """Take the resource's lease. Raises ``RetryLater`` while another request holds it."""
        now, token = self.clock(), uuid.uuid4().hex
        times = expressions.LeaseTimes(now, now + self.lease_seconds)
        take = expressions.lease_input(self.table, resource, record.id, token, times)
        try:
            response = write(self.dynamodb.update_item, take)
        except ClientError as error:
            item = conflicting_item(error)
            if items.text_of(item, "lease_token") != token:  # else it is this lease itself, as in accept
                raise self._leased(resource, items.lease_until(item) - now, record.deferrals) from None
            return items.to_lease(item, resource)
        return items.to_lease(response["Attributes"], resource)

    def _leased(self, resource: ResourceKey, left: float, deferrals: int) -> RetryLater:
        growing = random.uniform(*LEASE_BUSY_SECONDS) * 2 ** min(deferrals, MAX_BUSY_DOUBLINGS)  # noqa: S311
        seconds = min(max(left, 0), MAX_LEASE_BUSY_SECONDS, growing)
        return RetryLater(f"another request is working on this {resource.kind}", seconds)

    def read(self, resource: ResourceKey) -> ResourceRecord:
        """Return the record of the resource, without taking its lease."""
        return items.to_resource_record(self.get(items.resource_item_key(resource)), resource)

    def begin(self, record: RequestRecord) -> Outcome | None:
        """Record that a run of the request is about to write to Close. Return the outcome if it is settled already."""
        try:
            write(self.dynamodb.update_item, unbegun.begin_input(self.table, record))
        except ClientError as error:
            return unbegun.outcome_in(conflicting_item(error))
        return None

    def unbegin(self, record: RequestRecord) -> None:
        """Take back that a run of the request is about to write: it holds its leases, and nothing was ever sent."""
        self._write_in_state(unbegun.unbegin_input(self.table, record))

    def settle_unbegun(self, record: RequestRecord, outcome: Outcome) -> Outcome | None:
        """Store the outcome of a request that never began to write. Return the stored outcome; None if it began."""
        outcome = truncation.for_ledger(outcome)
        try:
            write(self.dynamodb.update_item, unbegun.settle_unbegun_input(self.table, record, outcome, self.clock()))
        except ClientError as error:
            return items.outcome_of(conflicting_item(error))
        return outcome

    def release(self, leases: Iterable[Lease]) -> None:
        """Release the leases, and store the records of their resources."""
        for lease in leases:
            try:
                write(self.dynamodb.update_item, {"TableName": self.table, **expressions.release_lease_update(lease)})
            except ClientError as error:
                if not items.is_released(conflicting_item(error), lease):
                    raise RetryLater("the lease was lost", LEASE_BUSY_SECONDS[1]) from None

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        release: Sequence[Lease] = (),
        unchanged: Iterable[ResourceRecord | TenantRecord] = (),
    ) -> Outcome:
        """Store the outcome and release the leases in one transaction. Return the stored outcome.

        Raises ``RetryLater`` if one of the leases is lost, or if a record that must be ``unchanged`` is not: the
        resource's lease was taken since it was read, or the tenant was bound to another organization.
        """
        outcome = truncation.for_ledger(outcome)
        request = expressions.settle_input(self.table, record, outcome, release, self.clock())
        request["TransactItems"] += (expressions.unchanged_check(self.table, each) for each in unchanged)
        try:
            write(self.dynamodb.transact_write_items, request)
        except ClientError as error:
            if stored := items.outcome_of(transaction_conflicts(error)[0] or {}):
                self.release(release)
                return stored
            raise RetryLater("another run has the lease, or had it in the meantime", LEASE_BUSY_SECONDS[1]) from None
        return outcome

    def tenant(self, tenant: str) -> TenantRecord:
        """The organizations that this service has worked in for the tenant."""
        return items.to_tenant_record(self.get(items.tenant_item_key(tenant)), tenant)

    def bind(self, known: TenantRecord, organization: str) -> TenantRecord:
        """Remember the organization of the tenant in place of the ``known`` one. Return what is remembered now.

        That is another organization when another worker was faster.
        """
        try:
            write(self.dynamodb.update_item, bindings.bind_input(self.table, known, organization))
        except ClientError as error:
            return items.to_tenant_record(conflicting_item(error), known.tenant)
        earlier = tuple(each for each in known.organizations if each != organization)
        return TenantRecord(known.tenant, organization, earlier)

    def paused_until(self, organization: str) -> float:
        """The time (Unix seconds) before which Close must not be called for the organization; 0 when it may be."""
        return items.not_before(self.get(items.organization_item_key(organization)))

    def pause(self, organization: str, until: float) -> None:
        """Let every worker know that Close must not be called for this organization before ``until``.

        A failure raises nothing, because a rate-limited write must not become in doubt. Each worker then learns of the
        limit from Close itself.
        """
        self._pause(items.organization_item_key(organization), until)

    def pause_tenant(self, tenant: str, until: float) -> None:
        """Do the same for a tenant whose organization is not known yet."""
        self._pause(items.tenant_item_key(tenant), until)

    def _pause(self, key: items.Item, until: float) -> None:
        with suppress(BotoCoreError, ClientError):  # also the failed condition: a longer pause is known
            self.dynamodb.update_item(**expressions.pause_input(self.table, key, until))

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral of the request and set when it is due again. Return the number of deferrals."""
        now = self.clock()
        times = expressions.DeferralTimes(now, now + seconds, now + seconds + expressions.OVERDUE_SECONDS)
        return self._record_deferral(record, expressions.deferral_input(self.table, record, times, reason))

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral like ``record_deferral``, and add the request to its tenant's waitlist."""
        now = self.clock()
        # A longer deferral has no message: the sweeper requeues the request when it ends.
        due_at = now + seconds + (0 if seconds > MAX_QUEUE_DELAY_SECONDS else expressions.OVERDUE_SECONDS)
        times = expressions.DeferralTimes(now, now + seconds, due_at)
        deferrals = self._record_deferral(record, expressions.deferral_input(self.table, record, times, reason, now))
        with suppress(BotoCoreError, ClientError):  # the request returns in any case; the waitlist only makes it sooner
            TenantWaitlist(self.dynamodb, self.table, self.retention_days, self.clock).add(record.tenant, record.id)
        return deferrals

    def _record_deferral(self, record: RequestRecord, update: items.Item) -> int:
        changed = self._write_in_state(update)
        return items.deferrals_of(changed) if changed else record.deferrals

    def mark_published(self, record: RequestRecord) -> None:
        """Record that the outcome was published."""
        self._write_in_state(expressions.mark_published_input(self.table, record))

    def overdue(self, page: int) -> Iterator[str]:
        """Yield the keys of all overdue requests, the longest overdue first. ``page``: how many are read at once."""
        now = self.clock()
        shards = (self._overdue(unfinished.overdue_input(self.table, each, now, page)) for each in range(items.SHARDS))
        yield from (items.key_of(item) for item in heapq.merge(*shards, key=items.due_at))

    def _overdue(self, query: items.Item) -> Iterator[items.Item]:
        while True:
            response = self.dynamodb.query(**query)
            yield from response["Items"]
            if "LastEvaluatedKey" not in response:
                return
            query["ExclusiveStartKey"] = response["LastEvaluatedKey"]

    def postpone(self, record: RequestRecord) -> None:
        """Record that the unfinished request was requeued. The time until it is overdue again doubles each time."""
        due_at = self.clock() + expressions.OVERDUE_SECONDS * 2 ** min(record.sweeps, expressions.MAX_SWEEP_DOUBLINGS)
        self._write_in_state(expressions.postpone_input(self.table, record.id, due_at))

    def _write_in_state(self, update: items.Item) -> items.Item:
        """Update a request, unless it was settled or forgotten meanwhile, or has expired: the next run finds that."""
        try:
            changed: items.Item = write(self.dynamodb.update_item, update).get("Attributes", {})
        except ClientError as error:
            conflicting_item(error)
            return {}
        return changed

    def get(self, key: items.Item) -> items.Item:
        """Return the item with this key, {} if it does not exist."""
        item: items.Item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return item
