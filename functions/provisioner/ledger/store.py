"""The ledger: a DynamoDB table that remembers requests and resources, and a transactional outbox for outcomes.

models.py draws how its items change; items.py builds the writes. A failed condition returns the item that it conflicts
with, so nothing is read twice.
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

LEASE_BUSY_SECONDS = (1.0, 2.0)  # holders work for a second or so; the spread keeps waiting requests apart
MAX_LEASE_BUSY_SECONDS = 60
MAX_BUSY_DOUBLINGS = 6  # of that time: more would exceed MAX_LEASE_BUSY_SECONDS anyway


@dataclass(frozen=True, slots=True)
class Ledger:
    """Durations are in seconds, ``clock`` gives Unix seconds.

    Every method raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails.
    """

    dynamodb: Any
    table: str
    lease_seconds: float
    retention_days: int
    clock: Callable[[], float]

    def accept(self, request: ProvisioningRequest, expected_after: float = items.OVERDUE_SECONDS) -> RequestRecord:
        """Remember the request, or find it. Raises ``Rejected`` when its id was used for other content.

        ``expected_after``: seconds until its message is back at the latest. The sweeper leaves it alone until then.
        """
        now, token = self.clock(), uuid.uuid4().hex
        times = items.AcceptTimes(now, now + expected_after, now + self.retention_days * 86_400)
        try:
            self._write(self.dynamodb.put_item, items.accept_input(self.table, request, token, times))
        except ClientError as error:
            item = _conflicting_item(error)
            # The SDK repeats a write whose response was lost: then the conflicting item is our own.
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
        """The request with this key: its record and its content; None when there is none."""
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
            if items.text_of(item, "lease_token") != token:  # else it is our own, as in accept
                raise self._leased(resource, items.lease_until(item) - now, record.deferrals) from None
            return items.to_lease(item, resource)
        return items.to_lease(response["Attributes"], resource)

    def _leased(self, resource: ResourceKey, left: float, deferrals: int) -> RetryLater:
        growing = random.uniform(*LEASE_BUSY_SECONDS) * 2 ** min(deferrals, MAX_BUSY_DOUBLINGS)  # noqa: S311
        seconds = min(max(left, 0), MAX_LEASE_BUSY_SECONDS, growing)
        return RetryLater(f"another request is working on this {resource.kind}", seconds)

    def read(self, resource: ResourceKey) -> ResourceRecord:
        """What is remembered of the resource, whoever holds its lease."""
        return items.to_resource_record(self._get(items.resource_item_key(resource)), resource)

    def stored_outcome(self, record: RequestRecord) -> Outcome | None:
        """The outcome that the request has by now, if it has one."""
        outcome = items.text_of(self._get(items.request_item_key(record.id)), "outcome")
        return Outcome.from_json(outcome) if outcome else None

    def release(self, leases: Iterable[Lease]) -> None:
        """Release the leases, and remember what is now known of their resources."""
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
        """Store the outcome and release the leases in one transaction. Return the outcome that stands.

        Raises ``RetryLater`` if one of the leases is lost, or if the lease of an ``unchanged`` resource was taken since
        its record was read.
        """
        outcome = truncation.for_ledger(outcome)
        request = items.settle_input(self.table, record, outcome, release, self.clock())
        request["TransactItems"] += [items.not_leased_since(self.table, each) for each in unchanged]
        try:
            self._write(self.dynamodb.transact_write_items, request)
        except ClientError as error:
            settled = _transaction_conflicts(error)[0]
            if not settled:
                raise RetryLater("another run has the lease, or had it meanwhile", LEASE_BUSY_SECONDS[1]) from None
            self.release(release)
            return Outcome.from_json(settled["outcome"]["S"])
        return outcome

    def paused_until(self, tenant: str) -> float:
        """The time (Unix seconds) before which Close must not be called for this tenant; 0 when it may be."""
        return items.not_before(self._get(items.tenant_item_key(tenant)))

    def pause(self, tenant: str, until: float) -> None:
        """Let every worker know that Close must not be called for this tenant before ``until``.

        Raises nothing: if it cannot be stored, each worker learns it from Close itself. That a rate-limited write did
        not happen is certain, and must not become uncertain because of this.
        """
        with suppress(BotoCoreError, ClientError):  # also the failed condition: a longer pause is known
            self.dynamodb.update_item(**items.pause_input(self.table, tenant, until))

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral of the request, and expect it back after it. Return how many there are by now."""
        due_at = self.clock() + seconds + items.OVERDUE_SECONDS
        return self._record_deferral(record, items.deferral_input(self.table, record, due_at, reason))

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a deferral of a request whose tenant has no credential, and list it to be resumed once there is one.

        Returns the same as ``record_deferral``.
        """
        now = self.clock()
        # A longer deferral has no message: the sweeper requeues the request as soon as it is over.
        due_at = now + seconds + (0 if seconds > MAX_QUEUE_DELAY_SECONDS else items.OVERDUE_SECONDS)
        deferrals = self._record_deferral(record, items.deferral_input(self.table, record, due_at, reason, now))
        with suppress(BotoCoreError, ClientError):  # the request comes back in any case: being resumed is only sooner
            TenantWaitlist(self.dynamodb, self.table, self.retention_days, self.clock).add(record.tenant, record.id)
        return deferrals

    def _record_deferral(self, record: RequestRecord, update: items.Item) -> int:
        try:
            response = self._write(self.dynamodb.update_item, update)
        except ClientError as error:
            _conflicting_item(error)  # it was settled meanwhile: the next run finds its outcome
            return record.deferrals
        return items.deferrals_of(response["Attributes"])

    def mark_published(self, record: RequestRecord) -> None:
        """Record that the outcome was published."""
        try:
            self._write(self.dynamodb.update_item, items.mark_published_input(self.table, record))
        except ClientError as error:
            _conflicting_item(error)  # it has expired

    def overdue(self, limit: int) -> list[str]:
        """Keys of at most ``limit`` requests that are overdue, the longest overdue first."""
        response = self.dynamodb.query(**items.overdue_input(self.table, self.clock(), limit))
        return [item["pk"]["S"].removeprefix("REQUEST#") for item in response["Items"]]

    def postpone(self, record: RequestRecord) -> None:
        """Record that the unfinished request was requeued: it is overdue again after twice as long each time."""
        due_at = self.clock() + items.OVERDUE_SECONDS * 2 ** min(record.sweeps, items.MAX_SWEEP_DOUBLINGS)
        try:
            self._write(self.dynamodb.update_item, items.postpone_input(self.table, record.id, due_at))
        except ClientError as error:
            _conflicting_item(error)  # it was finished meanwhile

    def _get(self, key: items.Item) -> items.Item:
        item: items.Item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return item

    def _write(self, call: Callable[..., Any], request: items.Item) -> Any:
        """Send a write, and repeat it when it conflicts with a running transaction. All of these are safe to repeat."""
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
    """The item that the condition conflicts with ({} when there is none). Raises any other error."""
    code = error.response["Error"]["Code"]
    if code in CONFLICTS:
        raise RetryLater("another request is writing to the ledger", LEASE_BUSY_SECONDS[1]) from None
    if code != "ConditionalCheckFailedException":
        raise error
    item: items.Item = error.response.get("Item", {})
    return item


def _transaction_conflicts(error: ClientError) -> list[items.Item | None]:
    """For each write of a transaction: the item that its condition conflicts with, None where it held."""
    reasons = error.response.get("CancellationReasons", [])
    if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
        raise error
    return [reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None for reason in reasons]


def _same_content(item: items.Item, request: ProvisioningRequest) -> RequestRecord:
    if item["fingerprint"]["S"] != request.fingerprint:
        detail = f"The request id {request.request_id!r} of this tenant was used before, for other content."
        raise Rejected(ProblemType.REQUEST_CONFLICT, detail)
    return items.to_record(item)
