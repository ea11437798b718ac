"""AWS's documented limits of a request that the models do not hold, and an emulator may not enforce."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.strict_aws.call import Call

KIB, MIB = 1024, 1_048_576
MAX_MESSAGE = MIB
"""SQS Developer Guide, "Amazon SQS message quotas": body and attributes together."""
MAX_NOTIFICATION = 256 * KIB
"""SNS API Reference, Publish: message and attributes together; PublishBatch: of all entries together."""
MAX_ENTRIES = 10
"""SNS API Reference, PublishBatch."""
MAX_ITEM = 400 * KIB
"""DynamoDB Developer Guide, "Quotas": names and values of an item's attributes."""
MAX_TRANSACTION = 4 * MIB
MAX_TRANSACTION_ITEMS = 100
MAX_EXPRESSION = 4 * KIB
MAX_EXPRESSION_VALUES = 2 * MIB
MAX_PARTITION_KEY, MAX_SORT_KEY = 2048, 1024
MAX_DIGITS = 38
MAX_DELAY, MAX_VISIBILITY = 900, 43_200
MAX_ATTRIBUTES = 10

NOT_IN_MESSAGES = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ATTRIBUTE_NAME = re.compile(r"(?!aws\.|amazon\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""SNS API Reference, PublishBatchRequestEntry."""
GROUP_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


def limit_faults(call: Call) -> Iterator[str]:
    """Yield what AWS would reject for its size or its characters."""
    match call.service, call.operation:
        case "sqs", "SendMessage":
            yield from _message(call.parameters, call.parameters["MessageBody"], MAX_MESSAGE)
            if not 0 <= call.parameters.get("DelaySeconds", 0) <= MAX_DELAY:
                yield f"DelaySeconds is {call.parameters['DelaySeconds']}, of {MAX_DELAY}"
            group = call.parameters.get("MessageGroupId")
            if group is not None and not GROUP_ID.fullmatch(group):
                yield f"MessageGroupId is {group!r}"
        case "sqs", "ChangeMessageVisibility":
            if not 0 <= call.parameters["VisibilityTimeout"] <= MAX_VISIBILITY:
                yield f"VisibilityTimeout is {call.parameters['VisibilityTimeout']}, of {MAX_VISIBILITY}"
        case "sns", "Publish":
            yield from _message(call.parameters, call.parameters["Message"], MAX_NOTIFICATION)
        case "sns", "PublishBatch":
            yield from _batch(call.parameters["PublishBatchRequestEntries"])
        case "dynamodb", _:
            yield from _ledger(call)


def _batch(entries: list[dict[str, Any]]) -> Iterator[str]:
    for each in entries:
        yield from _message(each, each["Message"], MAX_NOTIFICATION)
        if not ENTRY_ID.fullmatch(each["Id"]):
            yield f"an entry has the id {each['Id']!r}"
    if not 1 <= len(entries) <= MAX_ENTRIES:
        yield f"{len(entries)} entries, of {MAX_ENTRIES}"
    if len({each["Id"] for each in entries}) < len(entries):
        yield "two entries have the same id"
    sizes = [_bytes((each["Message"], *_texts(each.get("MessageAttributes", {})))) for each in entries]
    if sum(sizes) > MAX_NOTIFICATION:
        yield f"messages and attributes have {sum(sizes)} bytes, of {MAX_NOTIFICATION}"


def _texts(attributes: dict[str, Any]) -> list[str]:
    return [text for name, each in attributes.items() for text in (name, each["DataType"], each.get("StringValue", ""))]


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(each.encode("utf-8", "surrogatepass")) for each in texts)


def _message(parameters: dict[str, Any], body: str, most: int) -> Iterator[str]:
    attributes = parameters.get("MessageAttributes", {})
    texts = _texts(attributes)
    if (size := _bytes((body, *texts))) > most:
        yield f"message and attributes have {size} bytes, of {most}"
    if not body:
        yield "the message is empty"
    for text in (body, *texts):
        if found := NOT_IN_MESSAGES.search(text):
            yield f"a message may not contain {found[0]!r}"
    if len(attributes) > MAX_ATTRIBUTES:
        yield f"{len(attributes)} attributes, of {MAX_ATTRIBUTES}"
    for name, each in attributes.items():
        if not ATTRIBUTE_NAME.fullmatch(name) or not each.get("StringValue"):
            yield f"the attribute {name!r} has no allowed name, or no value"


def _ledger(call: Call) -> Iterator[str]:
    parameters = call.parameters
    writes = [each for write in parameters.get("TransactItems", []) for each in write.values()]
    for each in writes or [parameters]:
        yield from _write(each)
    if len(writes) > MAX_TRANSACTION_ITEMS:
        yield f"a transaction of {len(writes)} items, of {MAX_TRANSACTION_ITEMS}"
    keys = [str(each.get("Key") or each["Item"]["pk"]) for each in writes]
    if len(set(keys)) < len(keys):
        yield "a transaction writes an item twice"
    if (size := sum(size_of(each.get("Item", {})) + _values(each) for each in writes)) > MAX_TRANSACTION:
        yield f"a transaction of {size} bytes, of {MAX_TRANSACTION}"


def _write(parameters: dict[str, Any]) -> Iterator[str]:
    item = parameters.get("Item", {})
    if (size := size_of(item)) > MAX_ITEM:
        yield f"an item of {size} bytes, of {MAX_ITEM}"
    for key in (item, parameters.get("Key", {})):
        if not 1 <= len(key.get("pk", {"S": "x"})["S"].encode()) <= MAX_PARTITION_KEY:
            yield f"a key of {len(key['pk']['S'])} characters"
    for name, each in parameters.items():
        if name.endswith("Expression") and len(each.encode()) > MAX_EXPRESSION:
            yield f"{name} has {len(each)} characters, of {MAX_EXPRESSION}"
    if (size := _values(parameters)) > min(MAX_EXPRESSION_VALUES, MAX_ITEM):
        yield f"an update of {size} bytes, of {MAX_ITEM}"
    for each in (*item.values(), *parameters.get("ExpressionAttributeValues", {}).values()):
        yield from _value(each)


def _value(value: dict[str, Any]) -> Iterator[str]:
    [(kind, each)] = value.items()
    if kind == "N" and len(re.sub(r"[-.]|^0+|e.*$", "", each, flags=re.IGNORECASE)) > MAX_DIGITS:
        yield f"the number {each} has more than {MAX_DIGITS} digits"
    if kind in {"SS", "NS", "BS"} and (not each or len(set(each)) < len(each)):
        yield f"a set that is empty or has a value twice: {each}"
    if kind in {"L", "M"}:
        for inner in each.values() if kind == "M" else each:
            yield from _value(inner)


def _values(parameters: dict[str, Any]) -> int:
    return sum(_size(each) for each in parameters.get("ExpressionAttributeValues", {}).values())


def size_of(item: dict[str, Any]) -> int:
    """Return the size of an item as DynamoDB counts it: "DynamoDB item sizes and formats"."""
    return sum(len(name.encode()) + _size(value) for name, value in item.items())


def _size(value: dict[str, Any]) -> int:
    [(kind, each)] = value.items()
    match kind:
        case "S":
            return len(each.encode("utf-8", "surrogatepass"))
        case "N":
            return len(each) // 2 + 2
        case "SS" | "NS":
            return sum(len(text.encode()) for text in each)
        case "L":
            return 3 + sum(1 + _size(inner) for inner in each)
        case "M":
            return 3 + len(each) + size_of(each)
    return 1
