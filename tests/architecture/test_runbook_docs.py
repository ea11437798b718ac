"""The runbook explains every alarm and every reason to wait; each output, log and attribute that it names exists."""

import ast
import re
from collections.abc import Iterator

from infra.checks.cloudformation import Template
from provisioner.contract.request import request_key
from provisioner.ledger.items import request_item_key, resource_item_key
from provisioner.ledger.lease import ResourceKey, ResourceKind
from tests.architecture.conftest import PROJECT
from tests.architecture.test_monitoring import alarms

PAGE = (PROJECT / "docs" / "guides" / "runbook.md").read_text(encoding="utf-8")
PACKAGE = PROJECT / "functions" / "provisioner"
NO_MESSAGE = re.compile(
    r"[a-z]+-[a-z-]+|aws .*|close-provisioner .*|requests show|.*[A-Z].*|reason|route|status|integration_error"
    r"|api|webhooks|events|worker|sweeper|operator"
)
"""Other names that the runbook quotes beside a log: alarms, commands, keys and functions."""

TO_WAIT = {"RateLimited", "RetryLater", "Unavailable", "OutcomeUnknown", "Deferred"}


def section(heading: str) -> str:
    """Return the text below the heading, up to the next one of its level."""
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_each_alarm_has_a_row_and_each_row_an_alarm() -> None:
    suffixes = {alarm["AlarmName"].removeprefix("${Prefix}-") for alarm in alarms().values()}
    rows = re.findall(r"^\| `([a-z-]+)` \|", section("Alarms"), re.MULTILINE)
    assert sorted(rows) == sorted(suffixes)


def reasons() -> Iterator[str]:
    """Yield each reason to wait in the code, with … for each value that is filled in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[*arguments]) if name in TO_WAIT:
                    yield from (text for each in arguments if (text := _text(each)))
                case ast.Call(args=[ast.Attribute(attr="TENANT_NOT_FOUND"), argument]) if path.stem == "tenants":
                    yield _text(argument)
                case ast.AnnAssign(target=ast.Name(id="_pause_reason"), value=ast.Constant() as default):
                    yield _text(default)


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "…" for part in parts)
    return ""


def test_every_reason_to_wait_is_explained() -> None:
    explained = set(re.findall(r"`([^`]+)`", section("Nothing moves")))
    assert len(found := set(reasons())) > 20
    assert found - explained == set()
    assert {each for each in explained if each.startswith(("Close ", "Close's ", "another ", "the "))} - found == set()


def test_commands_name_existing_outputs_and_logs(template: Template) -> None:
    named = set(re.findall(r"\b(?:output|arn) ([A-Z]\w+)", PAGE))
    assert named
    assert named <= set(template.source["Outputs"])
    groups = {each["LogGroupName"]["Fn::Sub"] for each in template.resources("AWS::Logs::LogGroup").values()}
    tailed = {each.replace("$stack", "${AWS::StackName}") for each in re.findall(r'logs tail "(\S+)"', PAGE)}
    assert len(tailed) == 2
    assert tailed <= groups
    for function in re.findall(r"`(\w+)`", PAGE.partition("The log of a function (")[2].partition(")")[0]):
        assert f"/aws/lambda/${{AWS::StackName}}-{function}" in groups


def test_the_ledgers_keys_and_attributes_are_those_of_the_code() -> None:
    page = (PROJECT / "docs" / "reference" / "ledger-schema.md").read_text(encoding="utf-8")
    assert "printf 'acme/signup-8841' | sha256sum | cut -c1-32" in page
    assert request_item_key(request_key("acme", "signup-8841"))["pk"]["S"].startswith("REQUEST#")
    key = resource_item_key(ResourceKey(ResourceKind.TYPE, "orga_1", "project"))["pk"]["S"]
    assert re.fullmatch(r"TYPE#orga_1#[0-9a-f]{64}", key)
    assert """{"pk": {"S": "REQUEST#'"$id"'"}}""" in page
    assert """{"pk": {"S": "TYPE#orga_…#'"$name"'"}}""" in page


def _logged() -> set[str]:
    """Return the messages that handlers log."""
    levels = {"debug", "info", "warning", "error", "exception"}
    return {
        text
        for path in (PACKAGE / "handlers").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels
        for each in ast.walk(node.args[0])
        if isinstance(each, ast.Constant) and (text := str(each.value))
    }


def test_every_log_line_that_is_quoted_is_logged() -> None:
    sentences = [each for each in re.split(r"(?<=[.)]) |\n\n|\|", PAGE) if re.search(r"\blogs?\b|\bline\b", each)]
    quoted = {each for sentence in sentences for each in re.findall(r"`([a-z][^`\n]+)`", sentence)}
    messages = {each for each in quoted if not NO_MESSAGE.fullmatch(each)}
    assert len(messages) > 5
    assert {each for each in messages if not any(logged.startswith(each) for logged in _logged())} == set()
