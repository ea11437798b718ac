"""Announced: the published CloudEvent, field by field."""

import json
from typing import Any

import pytest

from provisioner.contract.errors import ErrorDetail, Problem
from provisioner.contract.outcome import Difference, FieldOutcome, Outcome, Result, TypeOutcome
from provisioner.messaging.topic import Topic

ID = "0123456789abcdef0123456789abcdef"


class MemorySns:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def publish(self, **message: Any) -> None:
        self.messages.append(message)


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
