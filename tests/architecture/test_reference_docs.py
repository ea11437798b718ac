"""The reference pages explain every problem, metric, alarm, key, command and attribute of the code, and no other."""

import ast
import re

import pytest
from pydantic import BaseModel

from infra.local.config import Options
from provisioner.contract.errors import Problem, ProblemType
from provisioner.contract.outcome import Outcome, Result, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import FieldSpec
from provisioner.handlers.request_log import CLOSE_ANSWERS
from provisioner.handlers.webhooks import COUNTED_AS
from tests.architecture.conftest import PROJECT
from tests.architecture.test_monitoring import alarms

REFERENCE = PROJECT / "docs" / "reference"
PACKAGE = PROJECT / "functions" / "provisioner"
CAMEL_CASE = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")


def page(name: str) -> str:
    return (REFERENCE / f"{name}.md").read_text(encoding="utf-8")


def first_cells(text: str, head: str = "") -> list[str]:
    """Return every name in code font in the first cells of the table below ``head``, or of all tables."""
    table = text.partition(head)[2].partition("\n\n")[0] if head else text
    return [
        name for row in re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    ]


def test_every_problem_is_explained_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", page("problems"), re.MULTILINE))
    assert rows == {name: str(status) for name, _, status in (kind.value for kind in ProblemType)}


def test_every_key_of_a_problem_is_explained() -> None:
    introduction = page("problems").partition("| name |")[0]
    assert {name for name in Problem.model_fields if f"`{name}`" not in introduction} == set()


def _metrics(function: str) -> set[str]:
    """Return the names that the function's handler counts, results of requests apart."""
    tree = ast.parse((PACKAGE / "handlers" / f"{function}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    counting = [call for call in calls if call.func.id in {"count", "_count", "MessageResult"}]  # type: ignore[attr-defined]
    searched = [tree] if function == "sweeper" else counting
    constants = [each.value for node in searched for each in ast.walk(node) if isinstance(each, ast.Constant)]
    named = {each for each in constants if isinstance(each, str) and CAMEL_CASE.fullmatch(each)}
    named.discard("Sweeper")  # the name of a class
    return named | (set(COUNTED_AS.values()) if function == "webhooks" else set())


def test_every_metric_is_explained() -> None:
    table = page("metrics-and-alarms").partition("## Alarms")[0]
    explained = {
        (metric, function)
        for metrics, functions in re.findall(r"^\| (`[A-Z].*?) \| ([a-z, ]+) \|", table, re.MULTILINE)
        for metric in re.findall(r"`(\w+)`", metrics)
        for function in functions.split(", ")
    }
    answers = {*CLOSE_ANSWERS.values(), "CloseRateLimited", "CloseLost"}
    named = [*(each.capitalize() for each in Result), *answers, "TimeToOutcome"]
    results = {(each, function) for each in named for function in ("api", "worker")}
    functions = ("api", "webhooks", "events", "worker", "sweeper", "operator")
    assert explained == results | {(metric, function) for function in functions for metric in _metrics(function)}


def test_every_alarm_is_explained() -> None:
    suffixes = {alarm["AlarmName"].removeprefix("${Prefix}-") for alarm in alarms().values()}
    assert sorted(first_cells(page("metrics-and-alarms").partition("## Alarms")[2])) == sorted(suffixes)


@pytest.mark.parametrize(
    ("name", "head", "model"),
    [
        ("request", "| key | default |", ProvisioningRequest),
        ("request", "| key of a field |", FieldSpec),
        ("outcome-events", "| key | holds |", Outcome),
        ("outcome-events", "| key of a type |", TypeOutcome),
    ],
)
def test_every_key_is_explained(name: str, head: str, model: type[BaseModel]) -> None:
    assert sorted(first_cells(page(name), head)) == sorted(model.model_fields)


def test_every_command_is_explained() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    commands = [each.removeprefix("make ") for each in first_cells(page("commands"), "| command |")]
    assert sorted(commands) == sorted(set(targets) - {"help"})


def test_every_option_of_a_run_is_explained() -> None:
    options = first_cells(page("commands").partition("## make run")[2], "| option |")
    assert sorted(options) == sorted(Options.variables())


def test_every_attribute_of_the_ledger_is_explained() -> None:
    rows = first_cells(page("ledger-schema").partition("## Requests")[2])
    sources = "".join(path.read_text(encoding="utf-8") for path in sorted((PACKAGE / "ledger").glob("*.py")))
    assert [name for name in rows if not re.search(rf"\b{name}\b", sources)] == []
    written = re.compile(
        r'"(\w+)": (?:_[sn]\(|_strings\(|\{"S[S]?"|\{"N"|after\.|orphaned and)|(\w+) = (?:if_not_exists|:)|ADD (\w+) :'
    )
    found = {name for groups in written.findall(sources) for name in groups if name}
    assert {name for name in found if not name.startswith(":")} - set(rows) <= {"pk"}


def test_a_glossary_entry_says_what_not_to_say() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page("glossary"), re.MULTILINE)[2:]
    assert len(rows) > 30
    assert [term for term, means, instead in rows if not means.strip() or not instead.strip()] == []
    assert len({term for term, _, _ in rows}) == len(rows)


def test_decisions_are_numbered_dated_and_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    decisions = sorted(folder.glob("[0-9]*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    listed = (folder / "index.md").read_text(encoding="utf-8")
    for path in decisions:
        text = path.read_text(encoding="utf-8")
        head = re.match(r"# (\d{4})\. (.+)\n\n- Status: ([a-z0-9 ]+)\n- Date: (\d{4}-\d\d-\d\d)\n\n", text)
        assert head, path.name
        number, title, status, date = head.groups()
        assert path.name.startswith(number)
        assert f"| {number} | [{title}]({path.name}) | {status} | {date} |" in listed
