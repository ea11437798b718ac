"""The messages on both queues, and how long a failed message stays hidden."""

from typing import Any

import pytest

from provisioner.messaging.queue import FIRST_RETRY_SECONDS, MAX_DELAY_SECONDS, Queue


class MemorySqs:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.hidden: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)

    def change_message_visibility(self, **change: Any) -> None:
        self.hidden.append(change)


@pytest.fixture
def sqs() -> MemorySqs:
    return MemorySqs()


@pytest.fixture
def messages(sqs: MemorySqs) -> Queue:
    return Queue(sqs, "https://queue", "https://dead")


@pytest.mark.parametrize(
    ("desired", "kept"), [(0, 0), (0.2, 1), (1, 1), (17.5, 18), (900, 900), (901, 900), (86_400, 900)]
)
def test_a_delay_is_rounded_up_to_the_limit_of_sqs(messages: Queue, sqs: MemorySqs, desired: float, kept: int) -> None:
    messages.send("{}", "acme", 3, desired)

    assert sqs.sent == [
        {
            "QueueUrl": "https://queue",
            "MessageBody": "{}",
            "MessageAttributes": {"deferrals": {"DataType": "Number", "StringValue": "3"}},
            "MessageGroupId": "acme",
            "DelaySeconds": kept,
        }
    ]


def test_a_dead_letter_message_carries_its_reason(messages: Queue, sqs: MemorySqs) -> None:
    messages.dead_letter("not json", "the body: is not JSON.", "message-1")

    [sent] = sqs.sent
    assert (sent["QueueUrl"], sent["MessageBody"]) == ("https://dead", "not json")
    assert {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()} == {
        "reason": "the body: is not JSON.",
        "message_id": "message-1",
    }


def test_a_reason_is_valid_for_sqs(messages: Queue, sqs: MemorySqs) -> None:
    messages.dead_letter("x", "\x00\ud800 " + "é" * 5000, "message-1")

    reason = sqs.sent[0]["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("\\u0000\\ud800 ")
    assert len(reason.encode()) <= 1000


def test_a_failed_message_is_hidden_for_longer_each_time_within_bounds(messages: Queue, sqs: MemorySqs) -> None:
    for receive_count in (1, 2, 3, 4, 5, 6, 1000):
        messages.back_off("handle", receive_count)

    for change, about in zip(sqs.hidden, [60, 120, 240, 480, 900, 900, 900], strict=True):
        assert 0.8 * about <= change["VisibilityTimeout"] <= about
    assert (FIRST_RETRY_SECONDS, MAX_DELAY_SECONDS) == (60, 900)
    assert {change["QueueUrl"] for change in sqs.hidden} == {"https://queue"}


def test_failed_messages_do_not_all_come_back_at_once(messages: Queue, sqs: MemorySqs) -> None:
    for _ in range(50):
        messages.back_off("handle", 5)

    assert len({change["VisibilityTimeout"] for change in sqs.hidden}) > 10


def test_a_message_stays_hidden_for_at_least_the_requested_time(messages: Queue, sqs: MemorySqs) -> None:
    messages.back_off("handle", 1, at_least=700.2)

    assert sqs.hidden == [{"QueueUrl": "https://queue", "ReceiptHandle": "handle", "VisibilityTimeout": 701}]


@pytest.mark.parametrize("character", ["x", "é", "😀"])
@pytest.mark.parametrize("over", [0, 1, 5])
def test_field_16_the_largest_message_fits_beside_its_reason(
    messages: Queue, sqs: MemorySqs, character: str, over: int
) -> None:
    """SQS counts the body and the attributes together, in bytes."""
    body = (character * 1_048_576).encode()[: 1_048_576 - over].decode(errors="ignore")
    messages.dead_letter(body, "A request must have at most 262144 bytes.", "message-1")

    [sent] = sqs.sent
    named = {name: each["StringValue"] for name, each in sent["MessageAttributes"].items()}
    size = len(sent["MessageBody"].encode()) + sum(len(f"{name}String{value}") for name, value in named.items())
    assert 1_048_576 - 4 <= size <= 1_048_576
    assert body.startswith(sent["MessageBody"])
    assert named == {
        "reason": "A request must have at most 262144 bytes.", "message_id": "message-1", "truncated": "true"
    }  # fmt: skip


def test_field_16_a_message_that_fits_is_kept_whole(messages: Queue, sqs: MemorySqs) -> None:
    body = "x" * 1_048_000
    messages.dead_letter(body, "no", "message-1")

    assert sqs.sent[0]["MessageBody"] == body
    assert "truncated" not in sqs.sent[0]["MessageAttributes"]
