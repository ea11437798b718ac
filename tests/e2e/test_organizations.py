"""Tenants and their organizations, and hostile messages beside good ones, through the stack's entry points."""

import base64
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.chaos.hostile import BODIES
from tests.e2e.world import Tenant, World

PAIRS = 12
LARGEST_MESSAGE = 256 * 1024


def test_hole_1_two_tenants_of_one_organization_make_one_type(world: World, tenant: Tenant) -> None:
    """Two senders know one customer under two names; its signups come in pairs, one by HTTP and one by the queue."""
    other = Tenant(f"{tenant.name}-too", tenant.organization, world.close.add_key(tenant.organization))
    world.keep_secret(other.name, other.secret)
    names = [f"Project {number}" for number in range(PAIRS)]
    over_http, over_the_queue = [tenant.asks(name) for name in names], [other.asks(name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(world.stack.http.submit, each) for each in over_http]
        for first in range(0, PAIRS, 6):
            world.send(*over_the_queue[first : first + 6])
        assert {each.result().status_code for each in answers} <= {200, 201, 202}
    for pair in zip(over_http, over_the_queue, strict=True):
        assert sorted(world.outcome(each).data["result"] for each in pair) == ["created", "unchanged"]
    assert sorted(world.type_names(tenant)) == sorted(names)


def test_hole_2_a_key_of_another_organization_writes_nothing_until_the_secret_names_it(
    world: World, tenant: Tenant
) -> None:
    moved = world.new_tenant()
    assert world.stack.http.submit(tenant.asks("Project")).status_code == 201
    _replace_secret(world, tenant, moved.secret)
    world.close.revoke(tenant.secret)
    refused = tenant.asks("Contract")
    answer = world.stack.http.submit(refused)
    assert (answer.status_code, _problem(answer)) == (424, "wrong-organization")
    assert world.outcome(refused).data["result"] == "failed"
    assert world.type_names(moved) == []
    assert world.type_names(tenant) == ["Project"]

    _replace_secret(
        world, tenant, json.dumps({"api_key": moved.secret, "organization_id": moved.organization}), moved.secret
    )
    accepted = tenant.asks("Contract")
    world.send(accepted)
    assert world.outcome(accepted).data["result"] == "created"
    assert world.type_names(moved) == ["Contract"]


def test_hole_3_a_type_that_a_person_renamed_is_not_written_to(world: World, tenant: Tenant) -> None:
    first = tenant.asks("Project", fields=[{"name": "Amount", "type": "number"}])
    assert world.stack.http.submit(first).status_code == 201
    (made,) = world.close.types(tenant.organization)
    _rename_by_hand(world, tenant, made["id"], "Engagement")
    later = tenant.asks("Project", if_exists="update", description="Work.", fields=[{"name": "Owner", "type": "text"}])
    sent = len(world.close.requests(tenant.organization))
    world.send(later)
    (outcome,) = world.outcome(later).data["types"]
    assert (outcome["result"], outcome["name"], outcome["renamed"]) == ("adopted", "Project", "Engagement")
    assert outcome["id"] == made["id"]
    assert {each["method"] for each in world.close.requests(tenant.organization)[sent:]} == {"GET"}


def test_hole_7_hostile_messages_harm_no_good_one_of_their_batch(world: World, tenant: Tenant) -> None:
    good = [tenant.asks(f"Project {number}") for number in range(4)]
    largest = '{"tenant": "' + tenant.name + '", "custom_object_types": ['
    largest += ",".join(["{}"] * ((LARGEST_MESSAGE // 8 - len(largest) - 2) // 3)) + "]}"
    hostile = [BODIES["nested"], BODIES["many empty types"], BODIES["with half a character"], largest]
    sent = [body for pair in zip(hostile, good, strict=True) for body in pair]
    ids = world.send(*sent)
    assert [world.outcome(each).data["result"] for each in good] == ["created"] * 4
    for message_id, body in zip(ids[::2], hostile, strict=True):
        assert world.dead_letter(message_id)["Body"] == body
    assert len(world.type_names(tenant)) == 4


def _replace_secret(world: World, tenant: Tenant, text: str, credential: str | None = None) -> None:
    world.secrets.append(credential or text)
    prefix = world.stack.description.tenant_secret_prefix
    world.stack.aws.client("secretsmanager").put_secret_value(SecretId=f"{prefix}/{tenant.name}", SecretString=text)


def _rename_by_hand(world: World, tenant: Tenant, close_id: str, name: str) -> None:
    """Rename a type through Close's API, as a person's browser does."""
    authorization = f"Basic {base64.b64encode(f'{tenant.secret}:'.encode()).decode()}"
    httpx.put(
        f"{world.close.api_url}custom_object_type/{close_id}/",
        json={"name": name},
        headers={"Authorization": authorization},
    ).raise_for_status()


def _problem(answer: httpx.Response) -> Any:
    body: Mapping[str, Any] = answer.json()
    return str(body["type"]).rpartition(":")[2]
