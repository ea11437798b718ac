"""Lists of requests, newest first: two sparse indexes of small items, kept by DynamoDB with each write of a request.

``by_tenant`` has a tenant's requests by time, ``by_time`` those of all tenants, under ``SHARDS`` keys by the request's
id: the writes of one moment spread over all of them, so that no key is hot. (A key for each hour or day would not
spread them: they all belong to the present one.) Neither index holds what changes when an outcome is announced, which
would cost two more writes: ``unfinished`` tells that.
"""

import heapq
import json
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any, NamedTuple

from provisioner.ledger import items, unfinished

MAX_UNFINISHED = 20_000  # keys to read: more can only be left by an outage
AFTER_ALL = 1e11  # a time after every other (Unix seconds)


class Span(NamedTuple):
    """A time span, both ends included (Unix seconds)."""

    since: float
    until: float


class ListedRequest(NamedTuple):
    """A request as the indexes hold it. Times are Unix seconds. ``label``: its blueprint, or the names of its types.

    ``result``: None until it is settled. ``next_at``: when its present wait ends.
    """

    id: str
    tenant: str
    request_id: str
    accepted_at: float
    label: str
    entry_point: str | None = None
    requested_by: str | None = None
    result: str | None = None
    problem: str | None = None
    settled_at: float | None = None
    deferrals: int = 0
    pending_reason: str | None = None
    next_at: float | None = None
    retry_of: str | None = None
    retried_as: str | None = None

    @property
    def position(self) -> tuple[float, str]:
        """Its place in every list: the later comes first, and of one moment the greater id."""
        return self.accepted_at, self.id


class RequestLists(NamedTuple):
    """The indexes. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails."""

    dynamodb: Any
    table: str

    def of_tenant(self, tenant: str, span: Span, page: int) -> Iterator[ListedRequest]:
        """Yield the tenant's requests of that time, newest first. ``page``: how many are read at once."""
        return self._newest("by_tenant", "tenant", tenant, span, page)

    def of_all(self, span: Span, page: int) -> Iterator[ListedRequest]:
        """Yield the requests of all tenants of that time, newest first. ``page``: read of one key at once."""
        shards = [
            self._newest("by_time", "list_shard", items.shard(shard), span, page) for shard in range(items.SHARDS)
        ]
        return heapq.merge(*shards, key=lambda each: each.position, reverse=True)

    def unfinished(self) -> set[str]:
        """Return the ids of the requests whose outcome is not announced yet."""
        pages = (
            self._pages(unfinished.overdue_input(self.table, shard, AFTER_ALL, MAX_UNFINISHED))
            for shard in range(items.SHARDS)
        )
        entries = (entry for of_shard in pages for page in of_shard for entry in page)
        return {items.key_of(entry) for entry in islice(entries, MAX_UNFINISHED)}

    def _newest(self, index: str, attribute: str, key: str, span: Span, page: int) -> Iterator[ListedRequest]:
        """Yield the entries of one key. DynamoDB gives those of one moment in any order."""
        entries = self._entries(index, attribute, key, span, page)
        for _, same in groupby(entries, key=lambda each: each.accepted_at):
            yield from sorted(same, key=lambda each: each.id, reverse=True)

    def _entries(self, index: str, attribute: str, key: str, span: Span, page: int) -> Iterator[ListedRequest]:
        query = {
            "TableName": self.table,
            "IndexName": index,
            "KeyConditionExpression": f"{attribute} = :key AND accepted_at BETWEEN :since AND :until",
            "ExpressionAttributeValues": items.attributes({":key": key, ":since": span.since, ":until": span.until}),
            "ScanIndexForward": False,
            "Limit": page,
        }
        for entries in self._pages(query):
            yield from map(listed, entries)

    def _pages(self, query: items.Item) -> Iterator[list[items.Item]]:
        while True:
            response = self.dynamodb.query(**query)
            yield response["Items"]
            if "LastEvaluatedKey" not in response:
                return
            query["ExclusiveStartKey"] = response["LastEvaluatedKey"]


def listed(item: items.Item) -> ListedRequest:
    """Return what the lists show of a request, from its item or from its entry in an index."""
    entry_point, requested_by, label = json.loads(items.text_of(item, "asked") or '[null, null, ""]')[:3]
    settled_at, result, problem = json.loads(items.text_of(item, "settled_as") or "[null, null, null]")[:3]
    return ListedRequest(
        id=items.key_of(item),
        tenant=item["tenant"]["S"],
        request_id=item["request_id"]["S"],
        accepted_at=items.number_of(item, "accepted_at"),
        label=label,
        entry_point=entry_point,
        requested_by=requested_by,
        result=result,
        problem=problem,
        settled_at=settled_at,
        deferrals=items.deferrals_of(item),
        pending_reason=items.text_of(item, "pending_reason"),
        next_at=items.number_of(item, "next_at") or None,
        retry_of=items.text_of(item, "retry_of"),
        retried_as=items.text_of(item, "retried_as"),
    )
