"""The picture of README.md shows the examples, with the results that their files expect."""

import re
from collections import defaultdict
from xml.etree import ElementTree as ET

import pytest

from infra.local.config import PROJECT
from infra.local.errors import StartupError
from infra.local.examples.examples import Example, load_examples
from infra.local.ui.picture import COMMAND, SHOWN, picture
from infra.local.ui.screen import GAP, INDENT, RESULT_WIDTH, WIDTHS

PICTURE = PROJECT / "docs" / "images" / "make-run.svg"
AGAIN = "draw it again: make run ONCE=1 PORT=0 LIST_LAG_SECONDS=2 RECORD=docs/images/make-run.svg"
CHARACTER = 12.2  # width of one in rich's SVG
ENTRY_POINTS = ("http", "queue", "plan", "webhook", "topic")
EXAMPLES = {each.name: each for each in load_examples()}

type Row = tuple[str, ...]


def lines() -> list[str]:
    """Return the lines of the picture as text."""
    found: dict[float, list[str]] = defaultdict(list)
    for text in ET.fromstring(PICTURE.read_text(encoding="utf-8")).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 - our own file
        if "matrix" not in text.get("class", "") and text.get("y"):
            line = found[float(text.get("y", "0"))]
            column = round(float(text.get("x", "0")) / CHARACTER)
            line += [" "] * (column - len(line)) + list((text.text or "").replace("\xa0", " "))
    return ["".join(found[y]).rstrip() for y in sorted(found)]


def rows() -> list[Row]:
    """Return via, tenant, request id, subject and result of every row of the picture."""
    found = []
    for line in lines():
        cells, start = [], INDENT
        for width in (*WIDTHS[1:], RESULT_WIDTH):
            cells.append(line[start : start + width].strip())
            start += width + GAP
        if line.startswith("  ") and cells[0] in ENTRY_POINTS:
            found.append(tuple(cells))
    return found


def expected(example: Example) -> list[Row]:
    request_id = example.request_id or ("evt_…" if example.expect["announced"] else "")
    status = "queued" if example.entry_point == "queue" else str(example.expect["status"])
    found: list[Row] = [(example.entry_point, example.tenant, request_id, example.subject, status)]
    if result := example.expect["announced"]:
        event = "provisioning.failed" if result == "failed" else "provisioning.succeeded"
        found.append(("topic", example.tenant, request_id, event, result))
    return found


def test_every_row_is_an_example_with_its_expected_result() -> None:
    assert rows() == [row for name in SHOWN for row in expected(EXAMPLES[name])], AGAIN


def test_every_line_of_the_plan_is_the_expected_one() -> None:
    shown = {line.strip() for line in lines()}
    assert [line for line in EXAMPLES["17-plan"].expect["plan"] if line.strip() not in shown] == [], AGAIN


def test_the_command_and_the_number_of_examples_are_shown() -> None:
    shown = [line.strip() for line in lines()]
    assert f"$ {COMMAND}" in shown
    assert f"{len(EXAMPLES)} of {len(EXAMPLES)} examples gave the expected result" in shown, AGAIN


def test_the_picture_loads_nothing_from_another_host() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


def test_a_picture_needs_every_example_that_it_shows() -> None:
    with pytest.raises(StartupError, match="LIST_LAG_SECONDS=2"):
        picture([])
