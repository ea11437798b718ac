"""The command line on the real parts of the service, as the people use it who live with the service."""

import json
from pathlib import Path
from typing import Any

import pytest

from close_provisioner.stack.which import Stack as FoundStack
from provisioner.contract.outcome import Result
from tests.fakes import a_request
from tests.integration.service.gateway import CommandLine
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack


@pytest.fixture
def cli(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr(FoundStack, "client", lambda _self, service: client(service))
    monkeypatch.setattr("close_provisioner.commands.status.alarms_that_are_on", lambda _stack: [])

    def work() -> None:
        for sent in stack.waiting():
            stack.work(sent.body)

    return CommandLine(stack, tmp_path, work)


def test_the_operator_knows_before_a_signup_which_keys_fail_and_who_can_fix_them(
    stack: Stack, cli: CommandLine
) -> None:
    good = stack.close.add_organization(name="Good")
    forbidden = stack.close.add_organization(name="Forbidden", may_customize=False)
    pinned = json.dumps({"api_key": good["keys"][0], "organization_id": forbidden["id"]})
    keys = {"good": good["keys"][0], "wrong": "api_no.no", "foreign": pinned, "umbrella": forbidden["keys"][0]}
    done = {name: cli(f"tenants add {name}", key) for name, key in keys.items()}
    assert {name: each.code for name, each in done.items()} == {"good": 0, "wrong": 5, "foreign": 5, "umbrella": 5}
    failed = {
        name: next(row for row in each.rows if row[2] == "failed") for name, each in done.items() if name != "good"
    }
    assert {name: (row[0], row[1], row[4]) for name, row in failed.items()} == {
        "wrong": ("wrong", "key", "close-admin"),
        "foreign": ("foreign", "organization", "operator"),
        "umbrella": ("umbrella", "permission", "close-admin"),
    }
    assert [row[0] for row in cli("tenants list").rows] == ["acme", "globex", "good"]
    stored = client("secretsmanager").get_secret_value(SecretId=f"{stack.settings.tenant_secret_prefix}/good")
    assert json.loads(stored["SecretString"]) == {"organization_id": good["id"], "api_key": good["keys"][0]}
    said = "".join(each.out + each.err for each in done.values())
    assert not any(each in said for each in (good["keys"][0], forbidden["keys"][0], "api_no.no"))
    checked = cli("tenants check good umbrella")
    assert (checked.code, checked.rows[-1][0]) == (5, "umbrella"), checked.err


def test_the_colleague_learns_what_happened_to_a_signup(stack: Stack, cli: CommandLine) -> None:
    line = "--tenant acme --blueprint account --value product=Acme"
    assert cli(f"plan {line}").code == 7
    applied = cli(f"apply {line} --request-id signup-1 --yes")
    assert applied.code == 0, applied.err
    assert "\n  created     Account  cotype_" in applied.out
    (row,) = cli("requests list --tenant acme").rows
    assert row[1:6] == ["acme", "signup-1", "http", "account", "created"]
    assert cli(f"plan {line}").code == 0
    shown = cli("requests show acme/signup-1")
    assert shown.code == 0, shown.err
    assert "sent by     http, arn:aws:sts::123456789012:assumed-role/oncall/anna" in shown.out
    assert "POST  custom_object_type/" in shown.out
    assert "settled created" in shown.out
    assert shown.out.splitlines()[-1] == "Nothing to do."
    assert cli("requests show acme/other").code == 3


def test_requests_that_failed_for_a_revoked_key_are_sent_again(stack: Stack, cli: CommandLine) -> None:
    organization = stack.close.add_organization(name="Initech")
    assert cli("tenants add initech", organization["keys"][0]).code == 0
    stack.close.revoke(organization["keys"][0])
    for number in range(3):
        stack.settle(a_request(tenant="initech", request_id=f"bulk-{number}"))
    choice = "--tenant initech --result failed"
    assert [row[6] for row in cli(f"requests list {choice}").rows] == ["credential-rejected"] * 3
    assert cli("tenants rotate initech", "api_no.no").code == 5
    rotated = cli("tenants rotate initech", stack.close.add_key(organization["id"]))
    assert rotated.code == 0, rotated.out + rotated.err
    retried = cli(f'requests retry {choice} --reason "key fixed, OPS-812" --yes')
    assert (retried.code, retried.out.count("is sent again as initech/bulk-")) == (0, 3), retried.err
    stack.clock.advance(600)  # the cached key is gone
    for sent in stack.waiting():
        stack.work(sent.body)
    assert cli(f"requests list {choice}").rows[0][6] == "credential-rejected"
    assert cli(f"requests retry {choice} --yes").code == 3, "each was retried"
    assert {row[5] for row in cli("requests list --tenant initech --result created --result unchanged").rows} <= {
        "created",
        "unchanged",
    }
    actions = cli("audit").rows
    assert sorted(row[2] for row in actions) == ["resume tenant", "retry", "retry", "retry"]
    assert {row[1] for row in actions} == {"arn:aws:sts::123456789012:assumed-role/oncall/anna"}
    assert {row[5] for row in actions if row[2] == "retry"} == {"key fixed, OPS-812"}


def test_a_lost_response_is_told_step_by_step(stack: Stack, cli: CommandLine) -> None:
    stack.arm("create_then_hang_up", "globex")
    stack.settle(a_request(tenant="globex", request_id="lost-1", name="Milestone"))
    shown = cli("requests show globex/lost-1")
    assert shown.out.startswith("globex/lost-1 · Milestone · RECOVERED after ")
    assert "POST  custom_object_type/      lost" in shown.out
    assert "waits 60 s: the write was sent, but its response was lost" in shown.out


def test_the_status_names_the_tenants_in_trouble(stack: Stack, cli: CommandLine) -> None:
    assert json.loads(cli("status --json").out)["last_hour"] == {}
    forbidden = stack.close.add_organization(name="Umbrella", may_customize=False)
    stack.set_secret("umbrella", forbidden["keys"][0])
    stack.settle(a_request(tenant="umbrella", request_id="1"))
    status = cli("status")
    assert status.code == 5
    assert "in trouble\t1 permission-missing  umbrella since " in status.out
    assert cli("blueprints list").rows[0][0] == "account"
    assert "type ${name}" in cli("blueprints show account").out


def test_a_dead_letter_message_is_listed_shown_and_dropped(stack: Stack, cli: CommandLine) -> None:
    assert cli("dead-letters list").err == "The dead-letter queues are empty.\n"
    stack.work("<signup/>")
    listed = cli("dead-letters list")
    (row,) = listed.rows
    assert (listed.code, row[5], row[7]) == (5, "not-a-request", "drop")
    assert cli(f"dead-letters show {row[0][:6]}").out.endswith("\n<signup/>\n")
    assert cli(f"dead-letters redrive {row[0]} --yes").code == 5
    assert cli(f"dead-letters drop {row[0]} --yes").code == 2
    assert cli(f'dead-letters drop {row[0]} --reason "told them" --yes').code == 0
    assert cli("dead-letters list").code == 0


def test_a_removed_tenant_is_forgotten(stack: Stack, cli: CommandLine) -> None:
    stack.settle(a_request(request_id="1"))
    assert cli('tenants forget acme --reason "ended" --yes').code == 5
    assert cli("tenants remove acme --yes").code == 0
    forgotten = cli('tenants forget acme --reason "ended" --yes')
    assert (forgotten.code, forgotten.out.splitlines()[0]) == (
        0,
        "✔ 1 requests of acme were erased. The rest stays:",
    ), forgotten.err
    assert cli("requests list --tenant acme").rows == []


def test_senders_are_opened_tested_and_rotated(stack: Stack, cli: CommandLine) -> None:
    assert {row[1] for row in cli("sources list").rows} == {"no"}
    added = cli("sources add stripe", "whsec_0123456789abcdef0123456789abcdef")
    assert added.code == 0, added.out + added.err
    assert {row[2] for row in added.rows} == {"ok"}
    assert cli("sources rotate stripe", "whsec_fedcba9876543210fedcba9876543210").code == 0
    (row,) = [row for row in cli("sources list").rows if row[0] == "stripe"]
    assert row[1:3] == ["yes", "2"]
    assert cli("sources check --all").code == 0


def test_an_unresolved_request_is_resolved_and_retried(stack: Stack, cli: CommandLine) -> None:
    stack.arm("hang_up_before", times=None)
    outcome, _ = stack.settle(a_request(request_id="unres-1", name="Parcel"), runs=40)
    assert outcome.result is Result.UNRESOLVED
    stack.close.disarm()
    assert cli("requests resolve acme/unres-1 --there --reason x --yes").code == 5, "Close's list contradicts it"
    stack.clock.advance(1_000)
    resolved = cli('requests resolve acme/unres-1 --not-there --reason "seen by Anna" --yes')
    assert resolved.code == 0, resolved.err
    assert "✔ Parcel is not there" in resolved.out
    assert cli("requests retry --tenant acme --result unresolved --yes").code == 0
    for sent in stack.waiting():
        stack.work(sent.body)
    assert stack.types() == ["Parcel"]


def test_a_key_may_be_typed_in_any_form_that_the_service_reads(stack: Stack, cli: CommandLine) -> None:
    organization: Any = stack.close.add_organization(name="Other")
    given = json.dumps({"api_key": f"  {organization['keys'][0]}\n"})
    assert cli("tenants add other", given).code == 0
    assert cli("tenants show other").rows[0][2:4] == ["yes", "api_key"]


def test_a_signup_that_waits_for_its_key_goes_on_when_the_key_is_added(stack: Stack, cli: CommandLine) -> None:
    waits = a_request(tenant="newco", request_id="1", wait_for_tenant=True)
    stack.work(waits.to_json())
    stack.waiting()
    organization = stack.close.add_organization(name="Newco")
    added = cli("tenants add newco", organization["keys"][0])
    assert "1 request waited for it, and go on" in added.err
    (sent,) = stack.waiting()
    stack.work(sent.body)
    assert cli("requests list --tenant newco").rows[0][5] == "created"
    assert cli("audit").rows[0][2:5] == ["resume tenant", "newco", "1 requests queued"]
