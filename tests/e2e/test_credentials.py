"""A credential is used for its tenant and its organization only, and is written nowhere."""

import base64
import json
from collections.abc import Iterator
from uuid import uuid4

from tests.e2e.conftest import OPTIONS
from tests.e2e.world import Tenant, World


def test_an_access_token_works_like_a_key(world: World) -> None:
    tenant = tenant_with_access_token(world)
    assert world.stack.http.submit(tenant.asks()).status_code == 201
    assert world.type_names(tenant) == ["Project"]


def test_a_key_pinned_to_its_own_organization_works(world: World) -> None:
    name = f"pinned-{uuid4().hex[:12]}"
    organization = world.close.add_organization(name=name)
    key = organization["keys"][0]
    world.keep_secret(name, key, json.dumps({"api_key": key, "organization_id": organization["id"]}))
    assert world.stack.http.submit(Tenant(name, organization["id"], key).asks()).status_code == 201


def test_a_key_of_another_organization_than_the_pinned_one_creates_nothing(world: World, tenant: Tenant) -> None:
    name = f"pinned-{uuid4().hex[:12]}"
    pinned = {"api_key": tenant.secret, "organization_id": "orga_another"}
    world.keep_secret(name, tenant.secret, json.dumps(pinned))
    asked = Tenant(name, tenant.organization, tenant.secret).asks()
    answer = world.stack.http.submit(asked)
    assert answer.status_code == 424
    assert answer.json()["type"] == "urn:close-provisioner:problem:wrong-organization"
    assert world.outcome(asked).data["result"] == "failed"
    assert world.type_names(tenant) == []
    assert world.creates_sent(tenant) == 0


def test_each_tenant_has_its_own_credential(world: World) -> None:
    one, other = world.new_tenant(), world.new_tenant()
    asked = [one.asks("Project"), other.asks("Project"), one.asks("Contract")]
    world.send(*asked)
    assert [world.outcome(each).data["result"] for each in asked] == ["created"] * 3
    assert sorted(world.type_names(one)) == ["Contract", "Project"]
    assert world.type_names(other) == ["Project"]


def test_no_credential_is_written_anywhere(world: World) -> None:
    """Search all output after a success, a lost response, a revoked key, a token and an invalid secret."""
    fine, revoked, token = world.new_tenant(), world.new_tenant(), tenant_with_access_token(world)
    world.close.revoke(revoked.secret)
    world.close.arm("create_then_cut_short", aim={"organization": fine.organization})
    broken = Tenant(f"broken-{uuid4().hex[:12]}", "", f"api_{uuid4().hex}")
    world.keep_secret(broken.name, broken.secret, f'{{"api_key": "{broken.secret}"')
    asked = [each.asks() for each in (fine, revoked, token, broken)]
    responses = [world.stack.http.submit(each).text for each in asked[1:]]
    world.send(*asked, f"invalid, {uuid4()}")
    events = [world.outcome(each) for each in asked]
    assert [each.data["result"] for each in events] == ["recovered", "failed", "created", "failed"]

    written = {
        "a response": responses,
        "an event": [each.text + json.dumps(each.attributes) for each in world.feed.arrived],
        "a log": [*world.logged()],
        "the ledger": [*in_the_ledger(world)],
        "a local log": [file.read_text(errors="replace") for file in OPTIONS.state.glob("*.log")],
    }
    assert len(world.secrets) >= 4
    for where, texts in written.items():
        assert any(fine.name in text for text in texts) or where != "a log", "the logs are of these requests"
        found = [text for text in texts for secret in world.secrets if any(form in text for form in forms(secret))]
        assert not found, f"a credential is in {where}"


def tenant_with_access_token(world: World) -> Tenant:
    name = f"oauth-{uuid4().hex[:12]}"
    organization = world.close.add_organization(name=name)["id"]
    token = str(world.close.add_tokens(organization)["access_token"])
    world.keep_secret(name, token, json.dumps({"access_token": token}))
    return Tenant(name, organization, token)


def forms(secret: str) -> tuple[str, str]:
    """Return a credential in plain form, and in the form of HTTP Basic."""
    return secret, base64.b64encode(f"{secret}:".encode()).decode().rstrip("=")


def in_the_ledger(world: World) -> Iterator[str]:
    pages = world.stack.aws.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=world.stack.description.table_name):
        yield json.dumps(page["Items"])
