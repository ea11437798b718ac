"""Announced: the published CloudEvent, field by field, and several at once."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from provisioner.contract.errors import ErrorDetail, Problem
from provisioner.contract.outcome import Difference, FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.messaging.topic import Topic
from tests.strict_aws.call import Call
from tests.strict_aws.limits import limit_faults
from tests.strict_aws.model_faults import model_faults

ID = "0123456789abcdef0123456789abcdef"


class MemorySns:
    """SNS. ``refused``: the entries of each batch that it refuses; ``fails``: the errors of the next calls."""

    def __init__(self, refused: Iterable[int] = (), fails: Iterable[Exception | None] = ()) -> None:
        self.messages: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.refused = {str(each) for each in refused}
        self.fails = iter(fails)

    def publish(self, **message: Any) -> None:
        self._take(Call("sns", "Publish", message))
        self.messages.append(message)

    def publish_batch(self, **batch: Any) -> dict[str, Any]:
        self._take(Call("sns", "PublishBatch", batch))
        taken = [each for each in batch["PublishBatchRequestEntries"] if each["Id"] not in self.refused]
        self.messages += taken
        return {"Successful": [{"Id": each["Id"]} for each in taken]}

    def _take(self, call: Call) -> None:
        self.calls.append(call)
        if error := next(self.fails, None):
            raise error

    @property
    def events(self) -> list[str]:
        return [json.loads(each["Message"])["id"] for each in self.messages]

    @property
    def faults(self) -> list[str]:
        return [fault for each in self.calls for fault in (*model_faults(each), *limit_faults(each))]


def outcome(result: Result, **further: Any) -> Outcome:
    return Outcome(tenant="acme", request_id="1", result=result, settled_at="2027-01-15T08:00:00+00:00", **further)


def published(of: Outcome, *, as_type: bool = False) -> dict[str, Any]:
    topic = MemorySns()
    outcomes = Topic(topic, "arn:aws:sns:eu-central-1:111122223333:outcomes", "urn:close-provisioner:test")
    (outcomes.publish_type if as_type else outcomes.publish)(ID, of)
    [message] = topic.messages
    return message


def test_a_success_has_every_field() -> None:
    close_type = {"id": "cotype_1", "name": "Ünïcode"}
    adopted = TypeOutcome(
        name="Ünïcode",
        id="cotype_1",
        result=Result.ADOPTED,
        custom_object_type=close_type,
        fields=(FieldOutcome(name="Seats", result="missing"),),
        differences=(Difference(field="description", desired="a", observed=None),),
        other_matches=("cotype_2",),
    )

    message = published(outcome(Result.ADOPTED, types=(adopted,), attempts=3))

    assert message["TopicArn"] == "arn:aws:sns:eu-central-1:111122223333:outcomes"
    assert json.loads(message["Message"]) == {
        "specversion": "1.0",
        "id": ID,
        "source": "urn:close-provisioner:test",
        "type": "close-provisioner.provisioning.succeeded",
        "subject": "acme/1",
        "time": "2027-01-15T08:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {
            "tenant": "acme",
            "request_id": "1",
            "result": "adopted",
            "types": [
                {
                    "name": "Ünïcode",
                    "id": "cotype_1",
                    "result": "adopted",
                    "custom_object_type": close_type,
                    "omitted": [],
                    "fields": [{"name": "Seats", "id": None, "result": "missing"}],
                    "steps": [],
                    "differences": [{"field": "description", "desired": "a", "observed": None}],
                    "blocked": [],
                    "other_matches": ["cotype_2"],
                }
            ],
            "attempts": 3,
            "settled_at": "2027-01-15T08:00:00+00:00",
        },
    }


def test_a_failure_carries_its_problem() -> None:
    fault = Problem(
        type="urn:close-provisioner:problem:spec-rejected",
        title="Close refused the Custom Object Type",
        status=422,
        detail="Close returned 400.",
        close_status=400,
        errors=(ErrorDetail(pointer="/custom_object_type/name", detail="Required."),),
    )

    data = json.loads(published(outcome(Result.FAILED, problem=fault))["Message"])["data"]

    assert data["problem"] == fault.model_dump(mode="json")
    assert data["types"] == []


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (Result.CREATED, "succeeded"),
        (Result.RECOVERED, "succeeded"),
        (Result.UPDATED, "succeeded"),
        (Result.UNCHANGED, "succeeded"),
        (Result.ADOPTED, "succeeded"),
        (Result.FAILED, "failed"),
        (Result.UNRESOLVED, "unresolved"),
    ],
)
def test_subscribers_can_filter_by_type_and_attributes(result: Result, kind: str) -> None:
    message = published(outcome(result))

    assert json.loads(message["Message"])["type"] == f"close-provisioner.provisioning.{kind}"
    assert {name: each["StringValue"] for name, each in message["MessageAttributes"].items()} == {
        "type": f"close-provisioner.provisioning.{kind}",
        "source": "urn:close-provisioner:test",
        "tenant": "acme",
        "result": str(result),
        "content_type": "application/cloudevents+json",
    }
    assert {each["DataType"] for each in message["MessageAttributes"].values()} == {"String"}


def test_a_resolved_type_is_an_event_of_another_type() -> None:
    message = published(outcome(Result.RECOVERED), as_type=True)

    assert json.loads(message["Message"])["type"] == "close-provisioner.type.resolved"
    assert message["MessageAttributes"]["type"]["StringValue"] == "close-provisioner.type.resolved"


def test_a_repeated_event_has_the_same_id() -> None:
    assert published(outcome(Result.CREATED)) == published(outcome(Result.CREATED))


def many(number: int, **further: Any) -> dict[str, Outcome]:
    return {f"{each:032}": outcome(Result.UNCHANGED, **further) for each in range(number)}


def publish_all(sns: MemorySns, outcomes: dict[str, Outcome]) -> dict[str, Exception]:
    topic = Topic(sns, "arn:aws:sns:eu-central-1:111122223333:outcomes", "urn:close-provisioner:test")
    return topic.publish_all(outcomes)


SLOW_DOWN = ClientError({"Error": {"Code": "Throttled"}}, "Publish")


@pytest.mark.parametrize(
    ("number", "sizes"), [(0, []), (1, [1]), (2, [2]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
)
def test_ten_outcomes_take_one_call(number: int, sizes: list[int]) -> None:
    sns = MemorySns()

    assert publish_all(sns, many(number)) == {}

    assert sns.events == [*many(number)]
    assert [len(each.parameters.get("PublishBatchRequestEntries", "1")) for each in sns.calls] == sizes
    assert [each.operation for each in sns.calls] == ["Publish" if each == 1 else "PublishBatch" for each in sizes]
    assert sns.faults == []


def test_an_entry_of_a_batch_is_the_message_that_would_be_published_alone() -> None:
    sns = MemorySns()
    publish_all(sns, many(2))
    [[first, _]] = [each.parameters["PublishBatchRequestEntries"] for each in sns.calls]
    alone = MemorySns()
    publish_all(alone, many(1))

    assert {"TopicArn": alone.messages[0]["TopicArn"], **first} == {"Id": "0", **alone.messages[0]}


def test_large_outcomes_take_more_calls() -> None:
    """The largest event has nearly 64 KB, and a batch takes 256 KiB. A character beyond ASCII is six in JSON."""
    types = [TypeOutcome(name="x", result=Result.CREATED, steps=("é" * 9_900,))]
    sns = MemorySns()

    assert publish_all(sns, many(10, types=types)) == {}

    assert [len(each.parameters["PublishBatchRequestEntries"]) for each in sns.calls] == [4, 4, 2]
    assert sns.faults == []
    assert sns.events == [*many(10, types=types)]


def test_a_refused_entry_is_published_by_itself() -> None:
    sns = MemorySns(refused=(1, 3))

    assert publish_all(sns, many(5)) == {}

    assert [each.operation for each in sns.calls] == ["PublishBatch", "Publish", "Publish"]
    assert sorted(sns.events) == [*many(5)]


def test_an_entry_that_is_refused_again_is_the_only_one_that_failed() -> None:
    sns = MemorySns(refused=(1, 3), fails=(None, SLOW_DOWN, None))

    assert publish_all(sns, many(5)) == {[*many(5)][1]: SLOW_DOWN}

    assert sorted(sns.events) == [each for number, each in enumerate(many(5)) if number != 1]


def test_a_batch_that_fails_has_failed_as_a_whole_and_is_not_sent_again() -> None:
    sns = MemorySns(fails=(SLOW_DOWN,))

    assert publish_all(sns, many(12)) == dict.fromkeys([*many(12)][:10], SLOW_DOWN)

    assert sns.events == [*many(12)][10:]
