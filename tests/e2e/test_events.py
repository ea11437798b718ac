"""Requests on EventBridge's bus, through the deployed stack."""

import json
from typing import Any

from tests.e2e.world import Tenant, World


def put(world: World, detail: dict[str, Any]) -> None:
    entry = {"Source": "com.example.signups", "DetailType": "Provisioning Requested", "Detail": json.dumps(detail)}
    answer = world.stack.aws.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def test_an_invalid_event_is_announced_as_failed(world: World, tenant: Tenant) -> None:
    asked = {**tenant.asks(), "custom_object_type": {}}
    put(world, asked)
    announced = world.outcome(asked)
    assert announced.event["type"] == "close-provisioner.provisioning.failed"
    assert announced.data["problem"]["type"] == "urn:close-provisioner:problem:invalid-event"
