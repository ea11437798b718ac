"""Keys of tenants and secrets of senders: where they come from, where they go, and where they never appear."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws

from close_provisioner.stack.which import Stack
from tests.unit.cli.answers import problem
from tests.unit.cli.terminal import FakeStack
from tests.unit.cli.world import READY, REPORT, SOURCES, answers

KEY = "api_3fQ2.secretSECRETsecret"
TENANTS, SENDERS = "close-provisioner/tenants", "close-provisioner/sources"
ASIDE = "POST /v1/tenants/check-*/checks"
RESUME = "POST /v1/tenants/newco/resumptions"
CHECK = "POST /v1/tenants/newco/checks"


@pytest.fixture
def secrets(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield Secrets Manager, which the commands then use."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("secretsmanager", region_name="us-east-1")
        for left in client.list_secrets(IncludePlannedDeletion=True)["SecretList"]:  # a moto of other tests is on
            client.delete_secret(SecretId=left["ARN"], ForceDeleteWithoutRecovery=True)
        monkeypatch.setattr(Stack, "client", lambda _self, _service: client)
        stack.answers = answers() | {
            "POST /v1/sources/clerk/checks": {"source": "clerk", "ready": True, "checks": []},
            RESUME: {"tenant": "newco", "resumed": 0},
            ASIDE: lambda request: httpx.Response(200, json=READY | {"tenant": request.url.path.split("/")[4]}),
        }
        yield client


def stages(secrets: Any, name: str) -> Mapping[str, list[str]]:
    found: Mapping[str, list[str]] = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    return found


def exists(secrets: Any, name: str) -> bool:
    return name in [each["Name"] for each in secrets.list_secrets()["SecretList"]]


@pytest.mark.parametrize("way", ["prompt", "pipe", "file", "dash"])
def test_a_checked_key_is_stored_with_its_organization(
    secrets: Any, stack: FakeStack, tmp_path: Path, way: str
) -> None:
    path = tmp_path / "key.txt"
    path.write_text(f"{KEY}\n")
    line = "tenants add newco" + {"file": f" --key-file {path}", "dash": " --key-file -"}.get(way, "")
    ran = stack.run(line, width=80 if way == "prompt" else None, stdin="" if way == "file" else f"{KEY}\n")
    assert ran.code == 0, ran.err
    stored = json.loads(secrets.get_secret_value(SecretId=f"{TENANTS}/newco")["SecretString"])
    assert stored == {"organization_id": "orga_acme", "api_key": KEY}
    assert [each["Name"] for each in secrets.list_secrets()["SecretList"]] == [f"{TENANTS}/newco"]
    assert "check-" not in ran.out
    assert KEY not in ran.out + ran.err
    assert all(KEY not in each.content.decode() + str(each.url) for each in ran.asked)
    assert "✔ newco is stored." in ran.err


def test_the_key_is_checked_before_it_is_in_use(secrets: Any, stack: FakeStack) -> None:
    def check(request: httpx.Request) -> httpx.Response:
        aside = request.url.path.split("/")[4]
        assert json.loads(secrets.get_secret_value(SecretId=f"{TENANTS}/{aside}")["SecretString"]) == {"api_key": KEY}
        assert not exists(secrets, f"{TENANTS}/newco")
        return httpx.Response(200, json=REPORT)

    stack.answers[ASIDE] = check
    ran = stack.run("tenants add newco", stdin=KEY)
    assert (ran.code, ran.err) == (5, "newco is not ready. The key was not stored.\n")
    assert not exists(secrets, f"{TENANTS}/newco")


def test_a_failed_call_leaves_no_secret_behind(secrets: Any, stack: FakeStack) -> None:
    stack.answers[ASIDE] = (503, problem("unavailable", 503, "Send the call again."))
    assert stack.run("tenants add newco", stdin=KEY).code == 5
    assert secrets.list_secrets()["SecretList"] == []


@pytest.mark.parametrize(
    ("given", "line", "stored"),
    [
        (KEY, "tenants add newco --no-pin", {"api_key": KEY}),
        (KEY, "tenants add newco --no-pin --access-token", {"access_token": KEY}),
        (json.dumps({"access_token": "t", "organization_id": "orga_x"}), "tenants add newco", None),
    ],
)
def test_the_secret_has_the_form_that_the_service_reads(
    secrets: Any, stack: FakeStack, given: str, line: str, stored: dict[str, str] | None
) -> None:
    assert stack.run(line, stdin=given).code == 0
    found = json.loads(secrets.get_secret_value(SecretId=f"{TENANTS}/newco")["SecretString"])
    assert found == (stored or json.loads(given))


def test_a_waiting_signup_is_named(secrets: Any, stack: FakeStack) -> None:
    stack.answers[RESUME] = {"tenant": "newco", "resumed": 2}
    ran = stack.run("tenants add newco", stdin=KEY)
    assert "2 requests waited for it, and go on: close-provisioner requests list --tenant newco" in ran.err
    del stack.answers[RESUME]
    ran = stack.run("tenants add newco2", stdin=KEY)
    assert ran.code == 0
    assert "Its waiting requests go on within three hours: they could not be woken." in ran.err


def test_a_stored_key_is_rotated_not_added(secrets: Any, stack: FakeStack) -> None:
    secrets.create_secret(Name=f"{TENANTS}/newco", SecretString="old")
    ran = stack.run("tenants add newco", stdin=KEY)
    assert (ran.code, ran.err) == (5, "newco has a key. Change it with: close-provisioner tenants rotate newco\n")

    def check(_request: httpx.Request) -> httpx.Response:
        held = [each for staged in stages(secrets, f"{TENANTS}/newco").values() for each in staged]
        assert sorted(held) in (["AWSCURRENT"], ["AWSCURRENT", "AWSPENDING"], ["AWSCURRENT", "AWSPREVIOUS"])
        return httpx.Response(200, json=READY)

    stack.answers[CHECK] = check
    ran = stack.run("tenants rotate newco --utc", stdin=KEY)
    assert ran.code == 0
    assert ran.bodies(CHECK) == [{}, {"pending": True}, {}]
    assert "uses it until 12:05:00: revoke the old one at Close after that." in ran.err
    assert KEY in secrets.get_secret_value(SecretId=f"{TENANTS}/newco")["SecretString"]


def test_a_wrong_new_key_leaves_the_old_one_in_use(secrets: Any, stack: FakeStack) -> None:
    secrets.create_secret(Name=f"{TENANTS}/newco", SecretString="old")
    stack.answers[CHECK] = REPORT
    ran = stack.run("tenants rotate newco", stdin=KEY)
    assert ran.code == 5
    assert ran.err.endswith("The new key of newco is not ready. The old one stays in use.\n")
    assert secrets.get_secret_value(SecretId=f"{TENANTS}/newco")["SecretString"] == "old"


def test_a_removed_key_can_be_restored_and_not_added(secrets: Any, stack: FakeStack) -> None:
    secrets.create_secret(Name=f"{TENANTS}/newco", SecretString="old")
    assert stack.run("tenants remove newco", width=80, stdin="acme\n").code == 130
    assert exists(secrets, f"{TENANTS}/newco")
    ran = stack.run("tenants remove newco --days 7", width=80, stdin="newco\n")
    assert ran.code == 0
    assert "Type newco to go on: ✔ The key of newco is deleted on " in ran.err
    deleted = secrets.describe_secret(SecretId=f"{TENANTS}/newco")["DeletedDate"]
    assert (deleted - datetime.now(UTC)).days in {6, 7, -1}
    ran = stack.run("tenants add newco", stdin=KEY)
    assert ran.code == 5
    assert "is marked for deletion at" in ran.err


@pytest.mark.parametrize("line", ["tenants rotate nope", "tenants remove nope --yes", "sources rotate clerk"])
def test_a_secret_that_is_missing_is_not_found(secrets: Any, stack: FakeStack, line: str) -> None:
    ran = stack.run(line, stdin=KEY)
    assert ran.code == 3
    assert "has no secret close-provisioner/" in ran.err


@pytest.mark.parametrize("given", ["", "  \n", '{"api_key"'])
def test_an_empty_or_broken_key_is_not_stored(secrets: Any, stack: FakeStack, given: str) -> None:
    ran = stack.run("tenants add newco", stdin=given)
    assert ran.code == 2
    assert "Nothing was stored." in ran.err
    assert not exists(secrets, f"{TENANTS}/newco")


def test_a_key_file_that_cannot_be_read_is_named(secrets: Any, stack: FakeStack) -> None:
    ran = stack.run("tenants add newco --key-file /nowhere")
    assert (ran.code, ran.err) == (2, "/nowhere cannot be read: No such file or directory.\n")


def test_forgetting_goes_on_until_all_is_erased(stack: FakeStack) -> None:
    route = "DELETE /v1/tenants/initech/memory"
    stack.answers[route] = [
        {"tenant": "initech", "done": False, "requests": 30},
        {"tenant": "initech", "done": True, "requests": 11, "stays": ["its types"]},
    ]
    ran = stack.run("tenants forget initech --reason ended --yes")
    assert ran.out == "✔ 41 requests of initech were erased. The rest stays:\n- its types\n"
    assert [each.url.params["reason"] for each in ran.asked] == ["ended", "ended"]
    assert stack.run("tenants forget initech --yes").err == "--reason is missing: the audit keeps why.\n"


def signing(secrets: Any, name: str) -> list[str]:
    found: list[str] = json.loads(secrets.get_secret_value(SecretId=f"{SENDERS}/{name}")["SecretString"])["secrets"]
    return found


def test_a_senders_secret_is_added_rotated_and_the_old_one_retired(secrets: Any, stack: FakeStack) -> None:
    ran = stack.run("sources add clerk", stdin="whsec_first\n")
    assert ran.code == 0, ran.err
    assert "Paste this URL at the sender: http://127.0.0.1:4566/live/v1/webhooks/clerk" in ran.err
    assert signing(secrets, "clerk") == ["whsec_first"]
    assert "clerk has a secret." in stack.run("sources add clerk", stdin="x").err
    ran = stack.run("sources rotate clerk", stdin="whsec_second\n")
    assert signing(secrets, "clerk") == ["whsec_second", "whsec_first"]
    assert "whsec" not in ran.out + ran.err
    assert stack.run("sources rotate clerk --retire-old").err == "✔ clerk keeps its newest secret; 1 removed.\n"
    assert signing(secrets, "clerk") == ["whsec_second"]


def test_a_sender_that_is_unknown_or_fails_is_named(secrets: Any, stack: FakeStack) -> None:
    ran = stack.run("sources add nope", stdin="x")
    assert (ran.code, ran.err) == (3, "This version has no source nope. It has: clerk, stripe.\n")
    assert stack.run("sources check").code == 2
    stack.answers["POST /v1/sources/stripe/checks"] = {"source": "stripe", "ready": False, "checks": []}
    assert stack.run("sources check --all").code == 5
    assert [each["source"] for each in SOURCES["data"]] == ["clerk", "stripe"]


@pytest.mark.parametrize("line", ["tenants add 'a b'", "tenants add a:b", "tenants rotate ../x"])
def test_a_name_that_cannot_be_a_secrets_is_refused(secrets: Any, stack: FakeStack, line: str) -> None:
    ran = stack.run(line, stdin=KEY)
    assert (ran.code, "cannot have a secret: a name is 1 to 128 letters" in ran.err) == (2, True)
    assert secrets.list_secrets()["SecretList"] == []


def test_a_key_of_another_organization_moves_no_tenant_by_itself(secrets: Any, stack: FakeStack) -> None:
    stack.answers["GET /v1/tenants/newco"] = {"tenant": "newco", "organization": {"id": "orga_before"}}
    ran = stack.run("tenants add newco", stdin=KEY)
    assert ran.code == 5
    assert "newco works in orga_before, and this key opens Acme (orga_acme). Nothing was stored." in ran.err
    assert secrets.list_secrets()["SecretList"] == []
    named = json.dumps({"api_key": KEY, "organization_id": "orga_acme"})
    assert stack.run("tenants add newco", stdin=named).code == 0
    moved = READY | {"organization": {"id": "orga_other", "name": "Other"}}
    stack.answers[CHECK] = [READY, moved]
    ran = stack.run("tenants rotate newco", stdin=KEY)
    assert ran.code == 5
    assert "newco works in Acme (orga_acme), and this key opens Other (orga_other)." in ran.err
    assert json.loads(secrets.get_secret_value(SecretId=f"{TENANTS}/newco")["SecretString"]) == json.loads(named)
