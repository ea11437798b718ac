"""The price of a write to DynamoDB in write units, its indexes included, and of a read in read units. Pure.

Source: docs.aws.amazon.com/amazondynamodb, "Read and write capacity", "Using Global Secondary Indexes": a unit for each
begun kilobyte of the larger of both items; twice that in a transaction; and for an index a unit for each begun kilobyte
of the entry that is put or changed, and of the one that is removed, once even in a transaction. A consistent read
costs a unit for each begun four kilobytes, and one where nothing is found.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

KILOBYTE = 1024

type Item = Mapping[str, Any]


class Index(NamedTuple):
    """An index: the attributes of its key, and those that it holds besides."""

    keys: Sequence[str]
    held: Sequence[str]

    def entry(self, item: Item) -> Item | None:
        if any(name not in item for name in self.keys):
            return None
        return {name: item[name] for name in ("pk", *self.keys, *self.held) if name in item}


def price(before: Item, after: Item, indexes: Sequence[Index], *, in_transaction: bool) -> int:
    """Return the units of one write that changes the item. {}: it does not exist."""
    of_table = max(_kilobytes(before), _kilobytes(after)) * (2 if in_transaction else 1)
    return of_table + sum(_of_index(index, before, after) for index in indexes)


def price_of_read(item: Item) -> int:
    """Return the units of one consistent read that finds the item. {}: it does not exist."""
    return max(-(-_kilobytes(item) // 4), 1)


def _of_index(index: Index, before: Item, after: Item) -> int:
    old, new = index.entry(before), index.entry(after)
    if old == new:
        return 0
    if old and new and all(old[name] == new[name] for name in index.keys):
        return max(_kilobytes(old), _kilobytes(new))
    return sum(_kilobytes(each) for each in (old, new) if each)


def _kilobytes(item: Item) -> int:
    return -(-sum(len(name.encode()) + _size(value) for name, value in item.items()) // KILOBYTE)


def _size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content.strip("-0.").replace(".", "")) + 1) // 2 + 1
    if kind in {"L", "SS"}:
        return 3 + sum(1 + _size(each if kind == "L" else {"S": each}) for each in content)
    raise LookupError(f"an attribute of a kind that is not counted: {kind}")
