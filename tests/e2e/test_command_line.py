"""``close-provisioner`` on the running stack: as people use it, and each command that a page documents."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from close_provisioner.exit_codes import ExitCode
from close_provisioner.main import program
from close_provisioner.registration import EXAMPLES
from infra.local.config import PROJECT
from tests.e2e.conftest import OPTIONS
from tests.e2e.world import Tenant, World, eventually
from tests.piped_command import CommandDone, run_in_pipe

PAGES = ("README.md", "docs/guides/runbook.md", "docs/guides/rotate-a-key.md", "docs/guides/erase-a-tenant.md")
CODE = re.compile(r"^```.*?^```|`[^`]+`", re.DOTALL | re.MULTILINE)
type CommandLine = Callable[..., CommandDone]
ENVIRONMENT = {"CLOSE_PROVISIONER_LOCAL": str(OPTIONS.state), "TZ": "UTC"}


@pytest.fixture(scope="module")
def network() -> Iterator[httpx.BaseTransport]:
    with httpx.HTTPTransport() as transport:
        yield transport


@pytest.fixture
def cli(network: httpx.BaseTransport) -> CommandLine:
    """Return the program in this process, which takes half a second less for each command."""

    def call(line: str, stdin: str = "", **environment: str) -> CommandDone:
        return run_in_pipe(line, stdin, environment={**ENVIRONMENT, **environment}, folder=PROJECT, transport=network)

    return call


def as_process(line: str, stdin: str = "") -> CommandDone:
    """Run the program as a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "close_provisioner", *shlex.split(line)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(PROJECT / "cli")},
    )
    return CommandDone(done.returncode, done.stdout, done.stderr)


def test_it_runs_as_a_process(world: World, tenant: Tenant) -> None:
    assert as_process("tenants check --json", "").code == ExitCode.USAGE
    body = json.dumps({"custom_object_type": {"name": "Piped", "name_plural": "Piped"}})
    applied = as_process(f"apply -f - --tenant {tenant.name} --yes", body)
    assert (applied.code, world.type_names(tenant)) == (0, ["Piped"]), applied.err


def test_a_key_is_stored_checked_and_rotated(world: World, cli: CommandLine) -> None:
    tenant = f"t-{uuid4().hex[:12]}"
    organization = world.close.add_organization(name="Onboarded")
    old, new = organization["keys"][0], world.close.add_key(organization["id"])
    world.secrets += [old, new]

    wrong = cli(f"tenants add {tenant}", "api_wrong.wrong")
    added = cli(f"tenants add {tenant}", old)
    planned = cli(f"plan --tenant {tenant} --blueprint account --value product=Acme")
    applied = cli(f"apply --tenant {tenant} --blueprint account --value product=Acme --request-id signup-1 --yes")
    world.close.revoke(old)
    revoked = cli(f"tenants check {tenant}")
    rotated = cli(f"tenants rotate {tenant}", new)
    listed = next(row for row in cli("tenants list").rows if row[0] == tenant)

    codes = [each.code for each in (wrong, added, planned, applied, revoked, rotated)]
    assert codes == [5, 0, 7, 0, 5, 0], (added.err, applied.err, rotated.err)
    assert re.search(r"created +Account +cotype_", applied.out)
    assert [row[1:3] for row in revoked.rows if row[2] == "failed"] == [["key", "failed"]]
    assert (listed[1], listed[5:7]) == (organization["id"], ["signup-1", "created"])


def test_failed_requests_are_found_and_retried(world: World, cli: CommandLine) -> None:
    tenant = world.new_tenant(may_customize=False)
    asked = [tenant.asks(f"Type {number}") for number in range(2)]
    for each in asked:
        assert world.stack.http.submit(each).status_code == 424
    world.close.change_organization(tenant.organization, may_customize=True)

    failed = cli(f"requests list --tenant {tenant.name} --result failed")
    retried = cli(f"requests retry --tenant {tenant.name} --result failed --since 1d --reason why --yes")
    shown = cli(f"requests show {tenant.name}/{asked[0]['request_id']}")

    assert {row[2] for row in failed.rows} >= {each["request_id"] for each in asked}, failed.out
    assert retried.code == 0, retried.err
    for each in asked:
        again = {**each, "request_id": f"{each['request_id']}.retry-1"}
        assert world.outcome(again).data["result"] == "created"
    assert "permission" in shown.out
    assert "retry-1" in cli("audit --json").out


def test_a_dead_letter_message_is_shown_and_dropped(world: World, cli: CommandLine) -> None:
    [message_id] = world.send("<signup/>")
    world.announced("unknown", message_id)
    [row] = eventually(lambda: [each for each in cli("dead-letters list").rows if message_id in each])

    assert "not-a-request" in row
    assert cli("dead-letters redrive --cause not-a-request --yes").code == 5
    assert cli(f"dead-letters drop {row[0]} --reason test --yes").code == 0
    assert cli(f"dead-letters drop {row[0]} --reason test --yes").code == 3


def test_an_event_is_sent_and_seen(world: World, tenant: Tenant, cli: CommandLine) -> None:
    sent = cli(f"send stripe --event customer.created --tenant {tenant.name}")
    status = cli("status --json")

    assert sent.code == 0, sent.err
    assert "Account" in sent.out
    assert json.loads(status.out)["last_hour"]["created"] >= 1
    assert world.stack.source_secrets["stripe"] not in sent.out


def documented(page: str) -> Iterator[str]:
    """Yield each command line of a page, without the program's name, comments and line breaks."""
    for span in CODE.findall(Path(PROJECT / page).read_text(encoding="utf-8")):
        lines = span.strip("`").splitlines() if span.startswith("```") else [" ".join(span.strip("`").split())]
        for line in lines:
            command = line.partition("  #")[0].removeprefix("$ ").strip()
            if command.startswith("close-provisioner "):
                yield command.removeprefix("close-provisioner ").replace("…", "why")


DOCUMENTED = list(dict.fromkeys(line for page in PAGES for line in documented(page)))
LAST = ("tenants remove", "tenants forget")  # nothing is left of the tenant
ASKS = ("apply", "requests retry", "requests resolve", "dead-letters redrive", "dead-letters drop", *LAST)
CODES = {
    "status": ExitCode.BAD,  # requests failed within the hour
    "doctor": ExitCode.BAD,  # a key is revoked
    "dead-letters list": ExitCode.BAD,
    "tenants add": ExitCode.BAD,  # it has a key
    "sources add stripe": ExitCode.BAD,  # it has a secret
    "requests show globex/signup-12": ExitCode.BAD,
    "requests resolve globex/signup-12 --there": ExitCode.BAD,  # Close does not show it
    "requests retry --problem deadline-exceeded": ExitCode.NOT_FOUND,
}
"""The exit codes that are not 0, by the beginning of the line."""
RUN_HERE = sorted(
    (line for line in DOCUMENTED if not line.startswith(("send", "console", "requests watch"))),
    key=lambda line: line.startswith(LAST),
)


EVENT = {"id": "event-1", "source": "orders", "detail-type": "Provisioning Requested"}


@dataclass(frozen=True, slots=True)
class Scene:
    """The names of this test by those of the pages, and the key that a prompt for a tenant takes."""

    names: dict[str, str]
    keys: dict[str, str]

    def here(self, line: str) -> str:
        """Return the line with the names of this test."""
        names = "|".join(self.names)
        return re.sub(names, lambda name: self.names[name[0]], line.replace("--stack close-provisioner-dev", ""))

    def secret(self, line: str) -> str:
        """Return the secret that the line asks for."""
        return next((key for tenant, key in self.keys.items() if tenant in line), "whsec_MDEyMzQ1Njc4OWFiY2RlZg==")


@pytest.fixture(scope="module")
def scene(world: World) -> Scene:
    """Return the names, with the requests and messages that the pages name."""
    acme, globex, initech = world.new_tenant(), world.new_tenant(), world.new_tenant()
    lost, unresolved = globex.asks("Lost", request_id="lost-1"), globex.asks(request_id="signup-12")
    world.close.arm("create_then_hang_up", aim={"organization": globex.organization})
    world.send(lost)
    assert world.stack.http.submit(acme.asks(request_id="signup-8841")).status_code == 201
    world.close.revoke(initech.secret)
    assert world.stack.http.submit(initech.asks(request_id="signup-1")).status_code == 424
    assert world.outcome(lost).data["result"] == "recovered"
    world.close.arm("hang_up_before", aim={"organization": globex.organization}, times=None)
    world.send(unresolved)
    assert world.outcome(unresolved).data["result"] == "unresolved"
    world.close.disarm(globex.organization)
    names = {"acme": acme.name, "globex": globex.name, "initech": initech.name}
    keys = {names[each]: world.close.add_key(f"orga_{names[each]}") for each in ("acme", "initech")}
    return Scene({**names, "4f1c2a90": _dead_letters(world, acme)}, keys)


def _dead_letters(world: World, tenant: Tenant) -> str:
    """Put a message of each cause on the dead-letter queues, and return the id of the one that is not a request."""
    events = world.stack.description.functions["operator"].environment["EVENTS_DEAD_LETTER_QUEUE_URL"]
    sqs, queue = world.stack.aws.client("sqs"), world.stack.description.dead_letter_queue_url
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(tenant.asks("Redriven")))
    sqs.send_message(QueueUrl=events, MessageBody=json.dumps({**EVENT, "detail": tenant.asks("Delivered")}))
    return str(sqs.send_message(QueueUrl=queue, MessageBody="<signup/>")["MessageId"])


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """Return an editor that allows an update of what exists."""
    made = tmp_path / "editor"
    made.write_text('#!/bin/sh\nsed -i \'$ s/}$/, "if_exists": "update"}/\' $1\n')
    made.chmod(0o755)
    return made


@pytest.mark.parametrize("line", RUN_HERE)
def test_a_documented_command_does_what_it_says(scene: Scene, cli: CommandLine, line: str, editor: Path) -> None:
    command = scene.here(line)
    yes = " --yes" if line.startswith(ASKS) and "--yes" not in line else ""
    done = cli(command + yes, scene.secret(command), EDITOR=str(editor))
    expected = next((code for begin, code in CODES.items() if line.startswith(begin)), ExitCode.DONE)
    assert done.code == expected, (done.out, done.err)
    assert done.out + done.err


def test_the_pages_document_the_daily_commands() -> None:
    program()
    words = {name for name in EXAMPLES if any(line.startswith(name) for line in DOCUMENTED)}
    assert words >= {"status", "doctor", "requests list", "requests show", "requests retry", "requests resolve"}
    assert words >= {"tenants check", "tenants rotate", "dead-letters list", "dead-letters redrive", "audit"}
