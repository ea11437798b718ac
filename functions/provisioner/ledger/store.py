"""The ledger: a DynamoDB table that records requests and resources, and a transactional outbox for outcomes.

models.py draws how items change, items.py builds the writes. A failed condition returns the item that it conflicts
with, so no item is read twice.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract import truncation
from provisioner.contract.errors import ProblemType, Rejected, RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger import items
from provisioner.ledger.models import (
    MAX_QUEUE_DELAY_SECONDS,
    Lease,
    RequestRecord,
    RequestState,
    ResourceKey,
    ResourceRecord,
)
from provisioner.ledger.waitlist import TenantWaitlist

# DynamoDB rejects a write to an item that is inside a running transaction, and the SDK does not retry that.
CONFLICT_TRIES = 4
CONFLICT_SECONDS = (0.02, 0.1)
CONFLICTS = {"TransactionConflictException", "TransactionConflict", "ThrottlingError", "TransactionInProgressException"}

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

    def accept(self, request: ProvisioningRequest, expected_after: float = items.OVERDUE_SECONDS) -> RequestRecord:
        """Record the request, or find it. Raises ``Rejected`` when its id was used for other content.

        ``expected_after``: seconds within which its message must return. The sweeper ignores it until then.
        """
        now, token = self.clock(), uuid.uuid4().hex
        times = items.AcceptTimes(now, now + expected_after, now + self.retention_days * 86_400)
        try:
            self._write(self.dynamodb.put_item, items.accept_input(self.table, request, token, times))
        except ClientError as error:
            item = _conflicting_item(error)
            # The SDK repeats a write whose response was lost. Then the conflicting item is this request's own.
            if items.text_of(item, "accept_token") != token:
                return _same_content(item, request)
        return RequestRecord(
            id=request.id,
            tenant=request.tenant,
            request_id=request.request_id,
            state=RequestState.ACCEPTED,
            accepted_at=now,
            fresh=True,
        )

    def find(self, request_key: str) -> tuple[RequestRecord, ProvisioningRequest] | None:
        """Return the record and the content of the request with this key, or None."""
        item = self._get(items.request_item_key(request_key))
        return (items.to_record(item), ProvisioningRequest.model_validate_json(item["body"]["S"])) if item else None

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        """Take the resource's lease. Raises ``RetryLater`` while another request holds it."""
        now, token = self.clock(), uuid.uuid4().hex
        times = items.LeaseTimes(now, now + self.lease_seconds)
        try:
            response = self._write(
                self.dynamodb.update_item, items.lease_input(self.table, resource, record.id, token, times)
            )
        except ClientError as error:
            item = _conflicting_item(error)
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
        return items.to_resource_record(self._get(items.resource_item_key(resource)), resource)

    def stored_outcome(self, record: RequestRecord) -> Outcome | None:
        """Return the stored outcome of the request, if it has one."""
        outcome = items.text_of(self._get(items.request_item_key(record.id)), "outcome")
        return Outcome.from_json(outcome) if outcome else None

    def release(self, leases: Iterable[Lease]) -> None:
        """Release the leases, and store the records of their resources."""
        for lease in leases:
            try:
                self._write(self.dynamodb.update_item, {"TableName": self.table, **items.release_lease_update(lease)})
            except ClientError as error:
                if not items.is_released(_conflicting_item(error), lease):
                    raise RetryLater("the lease was lost", LEASE_BUSY_SECONDS[1]) from None

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        release: Sequence[Lease] = (),
        unchanged: Iterable[ResourceRecord] = (),
    ) -> Outcome:
        """Store the outcome and release the leases in one transaction. Return the stored outcome.

        Raises ``RetryLater`` if a lease was lost, or if the lease of an ``unchanged`` resource was taken since its
        record was read. If the request is settled already, that outcome is returned.
        """
        outcome = truncation.for_ledger(outcome)
        request = items.settle_input(self.table, record, outcome, release, self.clock())
        request["TransactItems"] += [items.not_leased_since(self.table, each) for each in unchanged]
        try:
            self._write(self.dynamodb.transact_write_items, request)
        except ClientError as error:
            settled = _transaction_conflicts(error)[0]
            if not settled:
                raise RetryLater(
                    "another run has the lease, or had it in the meantime", LEASE_BUSY_SECONDS[1]
                ) from None
            self.release(release)
            return Outcome.from_json(settled["outcome"]["S"])
        return outcome

    def paused_until(self, tenant: str) -> float:
        """Return the time (Unix seconds) before which Close must not be called for this tenant; 0 without a pause."""
        return items.not_before(self._get(items.tenant_item_key(tenant)))

    def pause(self, tenant: str, until: float) -> None:
        """Keep every worker from calling Close for this tenant before ``until``.

        A failure raises nothing, because a rate-limited write must not become in doubt. Each worker then learns of the
        limit from Close itself.
        """
        with suppress(BotoCoreError, ClientError):  # or a longer pause is stored already
            self.dynamodb.update_item(**items.pause_input(self.table, tenant, until))

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral of the request and set when it is due again. Return the number of deferrals."""
        due_at = self.clock() + seconds + items.OVERDUE_SECONDS
        return self._record_deferral(record, items.deferral_input(self.table, record, due_at, reason))

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral like ``record_deferral``, and add the request to its tenant's waitlist."""
        now = self.clock()
        # A longer deferral has no message: the sweeper requeues the request when it ends.
        due_at = now + seconds + (0 if seconds > MAX_QUEUE_DELAY_SECONDS else items.OVERDUE_SECONDS)
        deferrals = self._record_deferral(record, items.deferral_input(self.table, record, due_at, reason, now))
        with suppress(BotoCoreError, ClientError):  # the request returns in any case; the waitlist only makes it sooner
            TenantWaitlist(self.dynamodb, self.table, self.retention_days, self.clock).add(record.tenant, record.id)
        return deferrals

    def _record_deferral(self, record: RequestRecord, update: items.Item) -> int:
        try:
            response = self._write(self.dynamodb.update_item, update)
        except ClientError as error:
            _conflicting_item(error)  # it was settled meanwhile, and the next run finds its outcome
            return record.deferrals
        return items.deferrals_of(response["Attributes"])

    def mark_published(self, record: RequestRecord) -> None:
        """Record that the outcome was published."""
        try:
            self._write(self.dynamodb.update_item, items.mark_published_input(self.table, record))
        except ClientError as error:
            _conflicting_item(error)  # the item has expired

    def overdue(self, limit: int) -> list[str]:
        """Return the keys of at most ``limit`` overdue requests, the longest overdue first."""
        response = self.dynamodb.query(**items.overdue_input(self.table, self.clock(), limit))
        return [item["pk"]["S"].removeprefix("REQUEST#") for item in response["Items"]]

    def postpone(self, record: RequestRecord) -> None:
        """Record that the unfinished request was requeued. The time until it is overdue again doubles each time."""
        due_at = self.clock() + items.OVERDUE_SECONDS * 2 ** min(record.sweeps, items.MAX_SWEEP_DOUBLINGS)
        try:
            self._write(self.dynamodb.update_item, items.postpone_input(self.table, record.id, due_at))
        except ClientError as error:
            _conflicting_item(error)  # it was finished meanwhile

    def _get(self, key: items.Item) -> items.Item:
        item: items.Item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return item

    def _write(self, call: Callable[..., Any], request: items.Item) -> Any:
        """Send a write, and repeat it if a running transaction conflicts. Every write here is safe to repeat."""
        for _ in range(CONFLICT_TRIES - 1):
            try:
                return call(**request)
            except ClientError as error:
                if not _is_conflict(error):
                    raise
                time.sleep(random.uniform(*CONFLICT_SECONDS))  # noqa: S311
        return call(**request)


def _is_conflict(error: ClientError) -> bool:
    reasons = {reason.get("Code") for reason in error.response.get("CancellationReasons", [])} - {"None"}
    codes = reasons or {error.response["Error"]["Code"]}
    return codes <= CONFLICTS


def _conflicting_item(error: ClientError) -> items.Item:
    """Return the item that the condition conflicts with, {} if it does not exist. Raises any other error."""
    code = error.response["Error"]["Code"]
    if code in CONFLICTS:
        raise RetryLater("another request is writing to the ledger", LEASE_BUSY_SECONDS[1]) from None
    if code != "ConditionalCheckFailedException":
        raise error
    item: items.Item = error.response.get("Item", {})
    return item


def _transaction_conflicts(error: ClientError) -> list[items.Item | None]:
    """Return, for each write of a transaction, the item that its condition conflicts with; None where it held."""
    reasons = error.response.get("CancellationReasons", [])
    if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
        raise error
    return [reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None for reason in reasons]


def _same_content(item: items.Item, request: ProvisioningRequest) -> RequestRecord:
    if item["fingerprint"]["S"] != request.fingerprint:
        detail = f"This tenant used request id {request.request_id!r} before, with other content. Use a new request id."
        raise Rejected(ProblemType.REQUEST_CONFLICT, detail)
    return items.to_record(item)
