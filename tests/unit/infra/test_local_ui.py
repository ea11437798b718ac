"""What a run shows fits the terminal that it is on, and in a pipe it is all there."""

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
def test_on_a_terminal_every_line_fits_and_every_answer_is_whole(width: int) -> None:
    lines = shown(Terminal(), width)
    assert max(map(len, lines)) <= width
    read = joined(lines)
    for text in (
        TITLE,
        "/tenant, /custom_object_type/name",
        "cotype_P3cjoqTokc0o23eb5xeupy",
        '"What is under contract"',
    ):
        assert squeezed(text) in read
    assert any(line.endswith("21 ms") for line in lines)


def test_what_came_of_it_goes_on_in_its_own_column() -> None:
    lines = shown(Terminal(), 120)
    at = lines[0].index("what came of it")
    first = next(number for number, line in enumerate(lines) if "422" in line)
    assert lines[first].index("422") == at
    assert "8e03978e-40d…" in lines[first]
    assert lines[first + 1].index(lines[first + 1].strip()) == at + len("422 "), "below its own first word"


def test_without_room_beside_a_request_what_came_of_it_stands_below() -> None:
    lines = shown(Terminal(), 80)
    assert lines[0].split() == ["time", "door", "tenant", "request", "asked,", "or", "announced"]
    assert lines[1].strip() == "what came of it"
    assert lines[1].index("what") == lines[0].index("door")


def test_a_plan_keeps_its_indentation_where_a_line_goes_on() -> None:
    lines = shown(Terminal(), 70)
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("description:"))
    assert indentation(lines[at]) == indentation(lines[at - 1]) + 4
    assert indentation(lines[at + 1]) == indentation(lines[at]) + 2


def test_in_a_pipe_a_row_is_a_line_and_nothing_is_cut() -> None:
    """Also when the environment asks for colors, or says how wide some terminal is."""
    piped = io.StringIO()
    table = Table(Screen(Console(file=piped, width=80, force_terminal=True, color_system=None)))
    fill(table)
    lines = piped.getvalue().splitlines()
    assert len(lines) == len(("head", "asked", "announced")) + len(PLAN.splitlines())
    assert "…" not in piped.getvalue()
    assert ID in lines[1]
    assert TITLE in lines[1]


def test_lines_that_belong_to_no_row_go_on_below_themselves() -> None:
    terminal = Terminal()
    Screen(Console(file=terminal, width=40, color_system=None)).paragraphs(Text(f"\n  failed: {TITLE}\n"))
    lines = terminal.getvalue().splitlines()
    assert (lines[0], lines[-1]) == ("", "")
    assert [indentation(line) for line in lines[1:-1]] == [2, 4, 4]
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
    exchange.answer, exchange.plan = {"title": TITLE, "errors": errors}, PLAN
    table.asked(exchange)
    table.announced(announced(now), exchange)


def announced(moment: float) -> Announcement:
    found: dict[str, Any] = {"id": "cotype_P3cjoqTokc0o23eb5xeupy", "differences": []}
    found["fields"] = [{"result": result} for result in ("created", "updated", "adopted", "unchanged")]
    data = {"tenant": "acme", "request_id": ID, "result": "created", "types": [found]}
    return Announcement({"type": "close-provisioner.provisioning.succeeded", "data": data}, {}, "", moment + 0.021)


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def joined(lines: list[str]) -> str:
    """What somebody reads, wherever its lines end."""
    return squeezed("".join(lines))


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
