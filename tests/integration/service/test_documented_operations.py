"""Every command of the operator that a page documents is run, on the real parts of the service."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from close_provisioner.exit_codes import ExitCode
from close_provisioner.main import program
from close_provisioner.registration import EXAMPLES
from close_provisioner.stack.which import Stack as FoundStack
from tests.architecture.conftest import PROJECT
from tests.fakes import a_request
from tests.integration.service.gateway import CommandLine
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack

PAGES = ("README.md", "docs/guides/runbook.md", "docs/guides/rotate-a-key.md", "docs/guides/erase-a-tenant.md")
CODE = re.compile(r"^```.*?^```|`[^`]+`", re.DOTALL | re.MULTILINE)
ASKS = (
    "apply",
    "requests retry",
    "requests resolve",
    "dead-letters redrive",
    "dead-letters drop",
    "tenants remove",
    "tenants forget",
)
NEEDS_A_PROCESS = {"send", "console"}
ENDLESS = {"requests watch"}
UNEXPECTED = {ExitCode.UNEXPECTED, ExitCode.USAGE}
SECRET = "whsec_0123456789abcdef0123456789abcdef"


def documented(page: str) -> Iterator[str]:
    """Yield each command line of a page, without the program's name, comments and line breaks."""
    for span in CODE.findall(Path(PROJECT / page).read_text(encoding="utf-8")):
        lines = span.strip("`").splitlines() if span.startswith("```") else [" ".join(span.strip("`").split())]
        for line in lines:
            command = line.partition("  #")[0].removeprefix("$ ").strip()
            if command.startswith("close-provisioner "):
                yield command.removeprefix("close-provisioner ").replace("…", "why")


DOCUMENTED = sorted({line for page in PAGES for line in documented(page)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("operations")


@pytest.fixture
def cli(stack: Stack, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Return the command line on a stack in which the names of the pages have a meaning."""
    monkeypatch.setattr(FoundStack, "client", lambda _self, service: client(service))
    monkeypatch.setattr("close_provisioner.commands.status.alarms_that_are_on", lambda _stack: [])
    initech = stack.close.add_organization(name="Initech")
    stack.set_secret("initech", initech["keys"][0])
    stack.close.revoke(initech["keys"][0])
    stack.settle(a_request(request_id="signup-8841"))
    stack.settle(a_request(tenant="initech", request_id="signup-1"))
    stack.settle(a_request(tenant="globex", request_id="signup-12"))
    stack.work("<signup/>")
    return CommandLine(stack, folder)


def runnable(line: str) -> bool:
    return " ".join(line.split()[:2]) not in ENDLESS and line.split(maxsplit=1)[0] not in NEEDS_A_PROCESS


@pytest.mark.parametrize("line", [line for line in DOCUMENTED if runnable(line)])
def test_a_documented_command_does_what_it_says(cli: CommandLine, line: str, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/}$/, "if_exists": "update"}/\' $1\n')
    editor.chmod(0o755)
    yes = " --yes" if line.startswith(ASKS) and "--yes" not in line else ""
    done = cli(line + yes, SECRET, EDITOR=str(editor))
    assert done.code not in UNEXPECTED, done.err
    assert "has no route" not in done.err


def test_the_pages_document_the_daily_commands() -> None:
    program()
    assert len(DOCUMENTED) > 20
    words = {name for name in EXAMPLES if any(line.startswith(name) for line in DOCUMENTED)}
    assert words >= {"status", "doctor", "requests list", "requests show", "requests retry", "requests resolve"}
    assert words >= {"tenants check", "tenants rotate", "dead-letters list", "dead-letters redrive", "audit"}
