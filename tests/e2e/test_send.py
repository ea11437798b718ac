"""``make send``: an upstream sender's event, from the outside."""

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
def test_it_shows_the_answer_and_then_the_outcome(world: World, tenant: Tenant, source: str) -> None:
    code, said = send(SOURCE=source, TENANT=tenant.name)
    assert code == 0, said
    assert "202 Accepted" in said
    assert "\n\ncreated: Account created\n\n{" in said
    assert '"result": "created"' in said
    assert world.type_names(tenant) == ["Account"]
    assert world.stack.source_secrets[source] not in said


def test_again_it_is_the_same_event(world: World, tenant: Tenant) -> None:
    code, said = send(TENANT=tenant.name, AGAIN="1")
    assert code == 0, said
    assert said.count("202 Accepted") == 2
    assert len(world.announced(tenant.name, said.partition('"request_id": "')[2].partition('"')[0])) == 1


@pytest.mark.parametrize("source", PRESETS)
def test_tampered_with_it_is_not_taken(world: World, tenant: Tenant, source: str) -> None:
    code, said = send(SOURCE=source, TENANT=tenant.name, TAMPER="1")
    assert code == 0, said
    assert "401 Unauthorized" in said
    assert world.close.requests(tenant.organization) == []


def test_another_stack_is_sent_to_with_the_secret_that_is_given(
    world: World, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.stack.aws.credentials.items():
        monkeypatch.setenv(name, value)
    secret = world.stack.source_secrets["workos"]
    code, said = send(SOURCE="workos", TENANT=tenant.name, URL=world.stack.description.api_url, SECRET=secret)
    assert code == 0, said
    assert "202 Accepted" in said
    assert '"result": "created"' in said


def test_a_tenant_without_a_credential_is_waited_for(stack: object) -> None:
    code, said = send(TENANT="nobody-yet")
    assert code == 0, said
    assert "202 Accepted" in said
    assert "It waits for its tenant's credential: store one for nobody-yet, and it goes on." in said


def test_a_source_that_came_after_the_stack_is_told_from_a_fault(world: World, tmp_path: Path) -> None:
    """The stack as it would be had the source come later: it holds no secret of it."""
    about = json.loads((OPTIONS.state / "stack.json").read_text(encoding="utf-8"))
    (tmp_path / "stack.json").write_text(json.dumps(about | {"source_secret_prefix": "nobody"}))
    said: list[str] = []
    assert main({"SOURCE": "paddle"}, tmp_path, said.append) == 1
    assert said == [
        "\nThe stack that is up was built before paddle was a source: end `make run`, and start it again.\n"
    ]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SOURCE": "nobody"}, "there is no source 'nobody'; there are auth0, "),
        ({"SOURCE": "stripe", "EVENT": "nothing"}, "stripe has no event 'nothing'; it has customer.created"),
        ({"URL": "https://example.org/live"}, "SECRET must be what stripe signs with"),
        ({"URL": "http://127.0.0.1:9", "SECRET": "s"}, "Nobody answered"),
    ],
)
def test_what_is_wrong_is_said(stack: object, given: dict[str, str], reason: str) -> None:
    code, said = send(**given)
    assert code == 1
    assert reason in said
