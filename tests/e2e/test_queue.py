"""A request over SQS, through the deployed stack, to Close and the topic."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

from jsonschema import Draft202012Validator

from infra.local.config import PROJECT
from provisioner.contract.outcome import message_key
from provisioner.contract.request import request_key
from provisioner.ledger.items import request_item_key
from tests.e2e.world import Tenant, World, eventually

OUTCOME_SCHEMA = json.loads((PROJECT / "infra" / "schemas" / "outcome.json").read_text())


def test_an_outcome_is_announced_as_a_cloud_event(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    world.send(asked)
    announcement = world.outcome(asked)
    (in_close,) = world.close.types(tenant.organization)
    source = world.stack.description.functions["worker"].environment["EVENT_SOURCE"]
    event, data = dict(announcement.event), announcement.event["data"]
    settled_at = event.pop("time")
    assert datetime.now(UTC) - datetime.fromisoformat(settled_at) < timedelta(minutes=2)
    assert event == {
        "specversion": "1.0",
        "id": hashlib.sha256(f"{tenant.name}/{asked['request_id']}".encode()).hexdigest()[:32],
        "source": source,
        "type": "close-provisioner.provisioning.succeeded",
        "subject": f"{tenant.name}/{asked['request_id']}",
        "datacontenttype": "application/json",
        "data": data,
    }
    assert announcement.attributes == {
        "type": "close-provisioner.provisioning.succeeded",
        "source": source,
        "tenant": tenant.name,
        "result": "created",
        "content_type": "application/cloudevents+json",
    }
    Draft202012Validator(OUTCOME_SCHEMA).validate(data)
    assert (data["tenant"], data["request_id"], data["result"]) == (tenant.name, asked["request_id"], "created")
    assert data["settled_at"] == settled_at
    assert data["attempts"] == 1
    assert data["types"][0]["id"] == in_close["id"]
    assert data["types"][0]["custom_object_type"]["organization_id"] == tenant.organization


def test_a_message_without_a_request_id_uses_its_message_id(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    del asked["request_id"]
    (message_id,) = world.send(asked)
    (announcement,) = world.announced(tenant.name, message_id)
    assert announcement.event["id"] == request_key(tenant.name, message_id)
    assert announcement.data["result"] == "created"


def test_an_invalid_message_is_announced_and_dead_lettered(world: World) -> None:
    (message_id,) = world.send("not a request")
    (announcement,) = world.announced("unknown", message_id)
    assert announcement.event["id"] == message_key(message_id)
    assert announcement.event["type"] == "close-provisioner.provisioning.failed"
    assert announcement.data["problem"]["type"] == "urn:close-provisioner:problem:invalid-request"
    dead_letter = world.dead_letter(message_id)
    assert dead_letter["Body"] == "not a request"
    assert "invalid JSON" in dead_letter["MessageAttributes"]["reason"]["StringValue"]


def test_field_14_a_request_in_an_sns_notification_is_carried_out(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    topic = "arn:aws:sns:us-east-1:000000000000:signups"
    world.send({"Type": "Notification", "MessageId": "m-1", "TopicArn": topic, "Message": json.dumps(asked)})
    assert world.outcome(asked).data["result"] == "created"


def test_field_16_a_message_of_a_mebibyte_is_dead_lettered_once(world: World) -> None:
    (message_id,) = world.send("x" * 1_048_576)
    (announcement,) = world.announced("unknown", message_id)
    assert announcement.data["attempts"] == 1
    dead_letter = world.dead_letter(message_id)
    assert dead_letter["MessageAttributes"]["reason"]["StringValue"].startswith("A request must have at most")
    assert 1_048_000 < len(dead_letter["Body"]) < 1_048_576


def test_a_known_request_id_with_other_content_is_announced_separately(world: World, tenant: Tenant) -> None:
    first = tenant.asks("Project")
    assert world.stack.http.submit(first).status_code == 201
    other = tenant.asks("Invoice", request_id=first["request_id"])
    (message_id,) = world.send(other)
    of_first, of_other = world.announced(tenant.name, first["request_id"], number=2)
    assert (of_first.event["id"], of_first.data["result"]) == (request_key(tenant.name, first["request_id"]), "created")
    assert (of_other.event["id"], of_other.data["result"]) == (message_key(message_id), "failed")
    assert of_other.data["problem"]["type"] == "urn:close-provisioner:problem:request-conflict"
    assert json.loads(world.dead_letter(message_id)["Body"]) == other
    assert world.type_names(tenant) == ["Project"]
    shown = world.stack.http.read(request_key(tenant.name, first["request_id"])).json()
    assert shown["outcome"]["result"] == "created", "the outcome of the first request is unchanged"


def test_one_request_many_times_is_created_once(world: World, tenant: Tenant) -> None:
    asked = tenant.asks("Project")
    spelled = [tenant.asks(name) for name in ("project", " PROJECT ", "Project")]
    world.send(asked, asked, *spelled, asked)
    results = [world.outcome(each).data["result"] for each in (asked, *spelled)]
    assert results.count("created") == 1
    assert world.type_names(tenant) in (["Project"], ["project"], ["PROJECT"])
    assert world.creates_sent(tenant) == 1


def test_an_invalid_message_does_not_affect_its_batch(world: World, tenant: Tenant) -> None:
    good = [tenant.asks("Project"), tenant.asks("Contract")]
    _, bad, _ = world.send(good[0], {"tenant": tenant.name, "custom_object_type": {}}, good[1])
    assert [world.outcome(each).data["result"] for each in good] == ["created", "created"]
    (announcement,) = world.announced(tenant.name, bad)
    pointers = [each["pointer"] for each in announcement.data["problem"]["errors"]]
    assert pointers == ["/custom_object_type/name", "/custom_object_type/name_plural"]
    assert world.dead_letter(bad)


def test_a_message_that_fails_stays_on_the_queue_alone(world: World, tenant: Tenant) -> None:
    """Break the request's item in the ledger: an unexpected failure, until the item is removed."""
    good, bad = tenant.asks("Project"), tenant.asks("Contract")
    table, ledger = world.stack.description.table_name, world.stack.aws.client("dynamodb")
    item = request_item_key(request_key(tenant.name, bad["request_id"]))
    ledger.put_item(TableName=table, Item=item)
    _, message_id = world.send(good, bad)
    assert world.outcome(good).data["result"] == "created"
    eventually(lambda: [line for line in world.logged() if message_id in line and "stays on the queue" in line])
    eventually(lambda: world.messages_in_flight() == 1)
    ledger.delete_item(TableName=table, Key=item)
    world.send(bad)  # a second message does not wait for the first one's minute of invisibility
    assert world.outcome(bad).data["result"] == "created"
