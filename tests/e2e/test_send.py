"""``make send`` against the running stack."""

import json
from pathlib import Path

import pytest

from infra.local.send import main
from tests.e2e.conftest import OPTIONS
from tests.e2e.world import Tenant, World
from tests.webhook_senders import PRESETS


def send(**given: str) -> tuple[int, str]:
    said: list[str] = []
    return main(given, OPTIONS.state, said.append), "\n".join(said)


@pytest.mark.parametrize("source", PRESETS)
def test_the_response_and_the_outcome_are_shown(world: World, tenant: Tenant, source: str) -> None:
    code, said = send(SOURCE=source, TENANT=tenant.name)
    assert code == 0, said
    assert "202 Accepted" in said
    assert "\n\ncreated: Account created\n\n{" in said
    assert '"result": "created"' in said
    assert world.type_names(tenant) == ["Account"]
    assert world.stack.source_secrets[source] not in said


def test_an_event_delivered_again_is_the_same_event(world: World, tenant: Tenant) -> None:
    code, said = send(TENANT=tenant.name, AGAIN="1")
    assert code == 0, said
    assert said.count("202 Accepted") == 2
    assert len(world.announced(tenant.name, said.partition('"request_id": "')[2].partition('"')[0])) == 1


@pytest.mark.parametrize("source", PRESETS)
def test_a_tampered_event_is_rejected(world: World, tenant: Tenant, source: str) -> None:
    code, said = send(SOURCE=source, TENANT=tenant.name, TAMPER="1")
    assert code == 0, said
    assert "401 Unauthorized" in said
    assert world.close.requests(tenant.organization) == []


def test_another_stack_receives_an_event_signed_with_the_given_secret(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.stack.aws.credentials.items():
        monkeypatch.setenv(name, value)
    secret = world.stack.source_secrets["workos"]
    code, said = send(SOURCE="workos", TENANT=tenant.name, URL=world.stack.description.api_url, SECRET=secret)
    assert code == 0, said
    assert "202 Accepted" in said
    assert '"result": "created"' in said


def test_a_request_for_a_tenant_without_a_credential_waits(stack: object) -> None:
    code, said = send(TENANT="no-credential")
    assert code == 0, said
    assert "202 Accepted" in said
    assert "The request waits: tenant no-credential has no credential. Store one, and the request continues." in said


def test_a_source_that_was_added_after_the_start_needs_a_restart(world: World, tmp_path: Path) -> None:
    """Let the stack hold no secret of the source, as if the source had been added later."""
    about = json.loads((OPTIONS.state / "stack.json").read_text(encoding="utf-8"))
    (tmp_path / "stack.json").write_text(json.dumps(about | {"source_secret_prefix": "missing"}))
    said: list[str] = []
    assert main({"SOURCE": "paddle"}, tmp_path, said.append) == 1
    assert said == ["\nThe running stack does not know the source paddle, which was added later. Restart `make run`.\n"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SOURCE": "unknown"}, "Unknown source 'unknown'. Known: auth0, "),
        ({"SOURCE": "stripe", "EVENT": "nothing"}, "Unknown event 'nothing' of stripe. Known: customer.created"),
        ({"URL": "https://example.org/live"}, "SECRET is missing: set it to the signing secret of stripe"),
        ({"URL": "http://127.0.0.1:9", "SECRET": "s"}, "No response from http://127.0.0.1:9/v1/webhooks/stripe"),
    ],
)
def test_an_error_names_its_reason(stack: object, given: dict[str, str], reason: str) -> None:
    code, said = send(**given)
    assert code == 1
    assert reason in said
