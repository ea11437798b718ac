"""The ledger: a DynamoDB table that remembers requests and types.

records.py draws how its items change; ledger_items.py builds the writes. Old items come back with the condition that
failed: nothing is read again.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from provisioner import ledger_items as items
from provisioner.contract import CustomObjectType, Outcome, ProvisioningRequest, Result
from provisioner.errors import Busy, Kind, Refused
from provisioner.records import Lease, RequestRecord, RequestState

LEASE_BUSY_SECONDS = (1.0, 4.0)  # holders work for a second or so; the spread keeps those who wait from coming together


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

    def accept(self, request: ProvisioningRequest) -> RequestRecord:
        """Remember the request, or find it. Raises ``Refused`` when its id was used for other content."""
        now = self.clock()
        try:
            self.dynamodb.put_item(**items.accept_input(self.table, request, now, now + self.retention_days * 86_400))
        except ClientError as error:
            return _same_content(_met(error), request)
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
        answer = self.dynamodb.get_item(
            TableName=self.table, Key=items.request_item_key(request_key), ConsistentRead=True
        )
        item = answer.get("Item")
        return (items.to_record(item), ProvisioningRequest.model_validate_json(item["body"]["S"])) if item else None

    def lease(self, request: ProvisioningRequest) -> Lease:
        """Take the type's lease. Raises ``Busy`` while another holds it."""
        now, token = self.clock(), uuid.uuid4().hex
        try:
            answer = self.dynamodb.update_item(
                **items.lease_input(self.table, request, token, now, now + self.lease_seconds)
            )
        except ClientError as error:
            item = _met(error)
            # The SDK may have sent the write again after a lost answer: then it is our own lease that stood in the way.
            if items.text_of(item, "lease_token") != token:
                raise Busy(
                    "another request is working on this type",
                    random.uniform(*LEASE_BUSY_SECONDS),  # noqa: S311
                    doubtful=request.id in {items.text_of(item, "leased_by"), items.text_of(item, "suspect")},
                ) from None
            return items.to_lease(item)
        return items.to_lease(answer["Attributes"])

    def release(self, lease: Lease) -> None:
        """Give the lease back: this holder surely created nothing."""
        self._end(replace(lease, intents=lease.intents - 1))

    def doubt(self, lease: Lease, record: RequestRecord) -> None:
        """Give the lease back: this holder's create may or may not have happened."""
        self._end(replace(lease, suspect=record.id, doubt_since=self.clock(), absences=0, looked_at=0))

    def _end(self, lease: Lease) -> None:
        try:
            self.dynamodb.update_item(TableName=self.table, **items.end_lease_update(lease))
        except ClientError as error:
            _met(error)
            raise Busy("the lease was lost", LEASE_BUSY_SECONDS[1], doubtful=True) from None

    def settle(
        self,
        record: RequestRecord,
        outcome: Outcome,
        lease: Lease | None = None,
        found: CustomObjectType | None = None,
    ) -> Outcome:
        """Store the outcome and what is now known of the type, together. Answers the outcome that stands."""
        now = self.clock()
        after = _after(lease, record, outcome, found, now) if lease else None
        try:
            self.dynamodb.transact_write_items(**items.settle_input(self.table, record, outcome, after, now))
        except ClientError as error:
            settled = _met_together(error)[0]
            if settled:
                if after:
                    self._end(after)
                return Outcome.from_json(settled["outcome"]["S"])
            raise Busy("the lease was lost", LEASE_BUSY_SECONDS[1], doubtful=True) from None
        return outcome

    def learn(self, lease: Lease, record: RequestRecord, outcome: Outcome, found: CustomObjectType | None) -> None:
        """Give the lease back, and remember what is now known of the type; no request is settled by it."""
        self._end(_after(lease, record, outcome, found, self.clock()))

    def paused_until(self, tenant: str) -> float:
        """The time (Unix seconds) until which Close asked to leave this tenant alone; 0 if it did not."""
        key = items.tenant_item_key(tenant)
        return items.not_before(self.dynamodb.get_item(TableName=self.table, Key=key).get("Item", {}))

    def pause(self, tenant: str, until: float) -> None:
        """Close asked to leave this tenant alone until then: all workers are to know."""
        try:
            self.dynamodb.update_item(**items.pause_input(self.table, tenant, until))
        except ClientError as error:
            _met(error)  # a longer pause is known

    def count_wait(self, record: RequestRecord, seconds: float) -> None:
        """Count a wait of the request, and expect it back after it."""
        try:
            self.dynamodb.update_item(
                **items.wait_input(self.table, record, self.clock() + seconds + items.OVERDUE_SECONDS)
            )
        except ClientError as error:
            _met(error)  # it was settled meanwhile: whoever comes back finds the outcome

    def announced(self, record: RequestRecord) -> None:
        """The outcome was published."""
        self.dynamodb.update_item(**items.announced_input(self.table, record))

    def overdue(self, limit: int) -> list[str]:
        """Keys of at most ``limit`` requests that are unfinished past their time, the longest overdue first."""
        answer = self.dynamodb.query(**items.overdue_input(self.table, self.clock(), limit))
        return [item["pk"]["S"].removeprefix("REQUEST#") for item in answer["Items"]]

    def expect(self, request_key: str, seconds: float) -> None:
        """The unfinished request was put back on the queue: not overdue again before ``seconds``."""
        try:
            self.dynamodb.update_item(**items.expect_input(self.table, request_key, self.clock() + seconds))
        except ClientError as error:
            _met(error)  # it was finished meanwhile


def _after(lease: Lease, record: RequestRecord, outcome: Outcome, found: CustomObjectType | None, now: float) -> Lease:
    """What is known of the type once this request is settled: to have seen it ends all doubt."""
    if found is None:
        return replace(lease, intents=lease.intents - 1)
    if found.id == lease.close_id:
        creator = lease.creator
    else:
        creator = record.id if outcome.result is Result.CREATED else lease.suspect
    return Lease(lease.tenant, lease.key, lease.attempt, 0, close_id=found.id, known_at=now, creator=creator)


def _met(error: ClientError) -> items.Item:
    """The item on which the condition failed ({} when there was none); any other error goes on."""
    if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
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
        raise Refused(Kind.REQUEST_CONFLICT, detail)
    return items.to_record(item)
