"""The ledger: a DynamoDB table that remembers requests and types.

records.py draws how its items change; ledger_items.py builds the writes. Old items come back with the condition that
failed: nothing is read again.
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
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, Lease, RequestRecord, RequestState, ResourceKey
from provisioner.ledger.waitlist import TenantWaitlist

# DynamoDB refuses a write to an item that is inside a running transaction, and the SDK does not try that again.
CONFLICT_TRIES = 4
CONFLICT_SECONDS = (0.02, 0.1)
CONFLICTS = {"TransactionConflictException", "TransactionConflict", "ThrottlingError", "TransactionInProgressException"}

LEASE_BUSY_SECONDS = (1.0, 2.0)  # holders work for a second or so; the spread keeps those who wait from coming together
MAX_LEASE_BUSY_SECONDS = 60
MAX_DOUBLINGS = 6  # of that time: then it is longer than the longest


@dataclass(frozen=True, slots=True)
class Ledger:
    """Durations are in seconds, ``clock`` gives Unix seconds.

    Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB cannot be asked.
    """

    dynamodb: Any
    table: str
    lease_seconds: float
    retention_days: int
    clock: Callable[[], float]

    def accept(self, request: ProvisioningRequest, expected_after: float = items.OVERDUE_SECONDS) -> RequestRecord:
        """Remember the request, or find it. Raises ``Refused`` when its id was used for other content.

        ``expected_after``: seconds until its message is back at the latest, so that the sweeper need not look before.
        """
        now, token = self.clock(), uuid.uuid4().hex
        times = items.AcceptTimes(now, now + expected_after, now + self.retention_days * 86_400)
        try:
            self._write(self.dynamodb.put_item, items.accept_input(self.table, request, token, times))
        except ClientError as error:
            item = _met(error)
            # The SDK may have sent the write again after a lost answer: then it is our own item that stood in the way.
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
        """The request by its key, with what was asked."""
        item = self._get(items.request_item_key(request_key))
        return (items.to_record(item), ProvisioningRequest.model_validate_json(item["body"]["S"])) if item else None

    def lease(self, record: RequestRecord, resource: ResourceKey) -> Lease:
        """Take the unit's lease. Raises ``Busy`` while another holds it."""
        now, token = self.clock(), uuid.uuid4().hex
        try:
            answer = self._write(
                self.dynamodb.update_item,
                items.lease_input(
                    self.table, resource, record.id, token, items.LeaseTimes(now, now + self.lease_seconds)
                ),
            )
        except ClientError as error:
            item = _met(error)
            if items.text_of(item, "lease_token") != token:  # else it is our own, as in accept
                left = max(items.lease_until(item) - now, 0)
                growing = random.uniform(*LEASE_BUSY_SECONDS) * 2 ** min(record.deferrals, MAX_DOUBLINGS)  # noqa: S311
                wait = min(left, MAX_LEASE_BUSY_SECONDS, growing)
                raise RetryLater(f"another request is working on this {resource.kind}", wait) from None
            return items.to_lease(item, resource)
        return items.to_lease(answer["Attributes"], resource)

    def known(self, resource: ResourceKey) -> Lease:
        """What is known of the unit, whoever holds its lease: to be looked at, and not to be given back."""
        return items.to_record_of_resource(self._get(items.resource_item_key(resource)), resource)

    def stored_outcome(self, record: RequestRecord) -> Outcome | None:
        """The outcome that the request has by now, if it has one."""
        outcome = items.text_of(self._get(items.request_item_key(record.id)), "outcome")
        return Outcome.from_json(outcome) if outcome else None

    def end(self, after: Iterable[Lease]) -> None:
        """Give the leases back, and remember what is now known of their units."""
        for lease in after:
            try:
                self._write(self.dynamodb.update_item, {"TableName": self.table, **items.release_lease_update(lease)})
            except ClientError as error:
                if not items.is_released(_met(error), lease):
                    raise RetryLater("the lease was lost", LEASE_BUSY_SECONDS[1]) from None

    def settle(
        self, record: RequestRecord, outcome: Outcome, after: Sequence[Lease] = (), read: Iterable[Lease] = ()
    ) -> Outcome:
        """Store the outcome and what is now known of its units, together. Answers the outcome that stands.

        Raises ``Busy`` if one of the leases is lost, or if anybody took the lease of a unit that was only ``read``.
        """
        outcome = truncation.for_ledger(outcome)
        request = items.settle_input(self.table, record, outcome, after, self.clock())
        request["TransactItems"] += [items.not_leased_since(self.table, known) for known in read]
        try:
            self._write(self.dynamodb.transact_write_items, request)
        except ClientError as error:
            settled = _met_together(error)[0]
            if not settled:
                raise RetryLater("another run has the lease, or had it meanwhile", LEASE_BUSY_SECONDS[1]) from None
            self.end(after)
            return Outcome.from_json(settled["outcome"]["S"])
        return outcome

    def paused_until(self, tenant: str) -> float:
        """The time (Unix seconds) until which Close asked to leave this tenant alone; 0 if it did not."""
        return items.not_before(self._get(items.tenant_item_key(tenant)))

    def pause(self, tenant: str, until: float) -> None:
        """Close asked to leave this tenant alone until then: all workers are to know."""
        try:
            self.dynamodb.update_item(**items.pause_input(self.table, tenant, until))
        except ClientError as error:
            _met(error)  # a longer pause is known

    def record_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request, and expect it back after it. Answers how many there are by now."""
        due_at = self.clock() + seconds + items.OVERDUE_SECONDS
        return self._count_wait(record, items.deferral_input(self.table, record, due_at, reason))

    def record_tenant_deferral(self, record: RequestRecord, seconds: float, reason: str) -> int:
        """Count a wait of the request for its tenant, and have it woken when the tenant's secret is stored.

        Answers as ``count_wait`` does.
        """
        now = self.clock()
        # A parked request has no message: the sweeper puts it on the queue as soon as its wait is over.
        due_at = now + seconds + (0 if seconds > MAX_QUEUE_DELAY_SECONDS else items.OVERDUE_SECONDS)
        deferrals = self._count_wait(record, items.deferral_input(self.table, record, due_at, reason, now))
        with suppress(BotoCoreError, ClientError):  # it comes back by itself: to be woken is only sooner
            TenantWaitlist(self.dynamodb, self.table, self.retention_days, self.clock).add(record.tenant, record.id)
        return deferrals

    def _count_wait(self, record: RequestRecord, counted: items.Item) -> int:
        try:
            answer = self._write(self.dynamodb.update_item, counted)
        except ClientError as error:
            _met(error)  # it was settled meanwhile: whoever comes back finds the outcome
            return record.deferrals
        return items.deferrals_of(answer["Attributes"])

    def announced(self, record: RequestRecord) -> None:
        """The outcome was published."""
        try:
            self._write(self.dynamodb.update_item, items.mark_published_input(self.table, record))
        except ClientError as error:
            _met(error)  # it has expired

    def overdue(self, limit: int) -> list[str]:
        """Keys of at most ``limit`` requests that are unfinished past their time, the longest overdue first."""
        answer = self.dynamodb.query(**items.overdue_input(self.table, self.clock(), limit))
        return [item["pk"]["S"].removeprefix("REQUEST#") for item in answer["Items"]]

    def expect(self, record: RequestRecord) -> None:
        """The unfinished request was put back on the queue: it is overdue again after twice as long each time."""
        due_at = self.clock() + items.OVERDUE_SECONDS * 2 ** min(record.sweeps, items.MAX_DOUBLINGS)
        try:
            self._write(self.dynamodb.update_item, items.postpone_input(self.table, record.id, due_at))
        except ClientError as error:
            _met(error)  # it was finished meanwhile

    def _get(self, key: items.Item) -> items.Item:
        item: items.Item = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item", {})
        return item

    def _write(self, call: Callable[..., Any], request: items.Item) -> Any:
        """Send a write, and again where it met a transaction of somebody else's: all of these may be repeated."""
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


def _met(error: ClientError) -> items.Item:
    """The item on which the condition failed ({} when there was none); any other error goes on."""
    code = error.response["Error"]["Code"]
    if code in CONFLICTS:
        raise RetryLater("another request is writing to the ledger", LEASE_BUSY_SECONDS[1]) from None
    if code != "ConditionalCheckFailedException":
        raise error
    item: items.Item = error.response.get("Item", {})
    return item


def _met_together(error: ClientError) -> list[items.Item | None]:
    """For each write of a transaction the item on which its condition failed, None where it held."""
    reasons = error.response.get("CancellationReasons", [])
    if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
        raise error
    return [reason.get("Item", {}) if reason.get("Code") == "ConditionalCheckFailed" else None for reason in reasons]


def _same_content(item: items.Item, request: ProvisioningRequest) -> RequestRecord:
    if item["fingerprint"]["S"] != request.fingerprint:
        detail = f"The request id {request.request_id!r} of this tenant was used before, for other content."
        raise Rejected(ProblemType.REQUEST_CONFLICT, detail)
    return items.to_record(item)
