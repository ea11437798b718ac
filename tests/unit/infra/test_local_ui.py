"""The output of a run fits its terminal, and is complete in a pipe."""

import io
import re
import time
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from infra.local.examples.examples import Example, Exchange
from infra.local.outcomes import Announcement
from infra.local.ui.screen import Screen
from infra.local.ui.table import Table

ID = "8e03978e-40d5-43dd-bc93-6894a57f9324"
TITLE = "The request id was used for other content, and for content that is longer than a terminal is wide"
PLAN = (
    '~ update type Device\n    description: "Made by hand, long ago" -> "What is under contract"\n\ndigest ' + "4e" * 32
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [50, 80, 100, 111, 112, 120, 160])
def test_every_line_fits_the_terminal_and_no_result_is_cut(width: int) -> None:
    lines = shown(Terminal(), width)
    assert max(map(len, lines)) <= width
    read = joined([line.rstrip().removesuffix("21 ms") for line in lines])
    for text in (
        TITLE,
        "/tenant, /custom_object_type/name",
        "cotype_P3cjoqTokc0o23eb5xeupy",
        '"What is under contract"',
    ):
        assert squeezed(text) in read
    assert any(line.rstrip().endswith("21 ms") for line in lines)


def test_a_long_result_goes_on_in_its_own_column() -> None:
    lines = shown(Terminal(), 120)
    first = next(number for number, line in enumerate(lines) if "422" in line)
    assert lines[first].index("422") == lines[0].index("result")
    assert "8e03978e-40d…" in lines[first]
    assert indentation(lines[first + 1]) == lines[first].index("Unprocessable")


def test_a_result_is_below_its_request_on_a_narrow_terminal() -> None:
    lines = shown(Terminal(), 80)
    assert lines[0].split() == ["time", "via", "tenant", "request", "id", "requested,", "or", "event"]
    assert lines[1].strip() == "result"
    assert lines[1].index("result") == lines[0].index("via")


def test_a_plan_keeps_its_indentation() -> None:
    lines = shown(Terminal(), 70)
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("description:"))
    assert indentation(lines[at]) == indentation(lines[at - 1]) + 4
    assert indentation(lines[at + 1]) == indentation(lines[at])


def test_a_row_is_one_whole_line_in_a_pipe() -> None:
    """Print whole lines also when the environment asks for colors or gives a width."""
    piped = io.StringIO()
    table = Table(Screen(Console(file=piped, width=80, force_terminal=True, color_system=None)))
    fill(table)
    lines = piped.getvalue().splitlines()
    assert len(lines) == len(("head", "requested", "announced")) + len(PLAN.splitlines())
    assert "…" not in piped.getvalue()
    assert ID in lines[1]
    assert TITLE in lines[1]


def test_a_long_paragraph_goes_on_below_its_first_word() -> None:
    terminal = Terminal()
    Screen(Console(file=terminal, width=40, color_system=None)).paragraphs(Text(f"\n  failed: {TITLE}\n"))
    lines = terminal.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("", "")
    assert [indentation(line) for line in lines[1:-1]] == [2, 2, 2]
    assert squeezed(TITLE) in joined(lines)


def shown(file: io.StringIO, width: int) -> list[str]:
    fill(Table(Screen(Console(file=file, width=width, color_system=None))))
    return file.getvalue().splitlines()


def fill(table: Table) -> None:
    table.head()
    now = time.time()
    errors = [{"pointer": "/tenant"}, {"pointer": "/custom_object_type/name"}]
    body = {"tenant": "acme", "custom_object_type": {"name": "A name that is longer than its column"}}
    exchange = Exchange(Example("01", "something", "http", body, {}), now, ID, now + 0.021, 422)
    exchange.response, exchange.plan = {"title": TITLE, "errors": errors}, PLAN
    table.requested(exchange)
    table.announced(announced(now), exchange)


def announced(moment: float) -> Announcement:
    found: dict[str, Any] = {"id": "cotype_P3cjoqTokc0o23eb5xeupy", "differences": []}
    found["fields"] = [{"result": result} for result in ("created", "updated", "adopted", "unchanged")]
    data = {"tenant": "acme", "request_id": ID, "result": "created", "types": [found]}
    return Announcement({"type": "close-provisioner.provisioning.succeeded", "data": data}, {}, "", moment + 0.021)


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def joined(lines: list[str]) -> str:
    """Return the characters of the lines, without line breaks and spaces."""
    return squeezed("".join(lines))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
