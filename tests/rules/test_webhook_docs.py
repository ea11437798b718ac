"""docs/webhooks.md tells of every source, key and scheme, and every trap in it has its test."""

import re
import tomllib

from provisioner.schemes import SCHEMES
from provisioner.sources import Sources, _Event, _Source, read_source
from tests.rules.conftest import PROJECT

PAGE = (PROJECT / "docs" / "webhooks.md").read_text(encoding="utf-8")


def test_every_source_has_its_section_and_its_row() -> None:
    headings = set(re.findall(r"[a-z0-9-]+", " ".join(re.findall(r"^### (.*)$", PAGE, re.MULTILINE))))
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \| ", PAGE, re.MULTILINE))
    for name in Sources().names():
        assert name in headings
        assert name in rows


def test_every_key_of_a_source_is_explained() -> None:
    explained = set(re.findall(r"^\| `([a-z_.<>]+)` \| ", PAGE, re.MULTILINE))
    keys = {name for name in _Source.model_fields if name != "events"} | {"events.<name>"}
    keys |= {f"events.<name>.{name}" for name in _Event.model_fields}
    assert keys == explained & keys
    assert {each for each in explained if each.startswith("events")} <= keys


def test_every_scheme_is_explained() -> None:
    table = PAGE.partition("| scheme | what is signed")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(SCHEMES)


def test_the_source_that_is_shown_is_one() -> None:
    [shown] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    text = "\n".join(line.strip() for line in shown.splitlines())
    assert tomllib.loads(text)
    assert read_source("github", text).scheme is SCHEMES["github"]


def test_every_trap_has_a_test_by_its_number() -> None:
    traps = set(re.findall(r"^(\d+)\. ", PAGE.partition("## Traps")[2], re.MULTILINE))
    tests = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests" / "unit").glob("test_*.py"))
    assert traps == {str(number) for number in range(1, 12)}
    assert traps == set(re.findall(r"def test_trap_(\d+)_", tests))
