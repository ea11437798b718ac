"""Every command that a page prints exists: targets and variables of make, Python modules, tools and options."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.architecture.conftest import PROJECT
from tests.architecture.test_links import PAGES

MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE))
READ_BY_MAKE = set(re.findall(r"\b([A-Z_]{2,}) \?=|\$\(if \$\(([A-Z]+)\)|filter 1,\$\(([A-Z]+)\)", MAKEFILE))
LOCAL = "".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "infra" / "local").glob("*.py")))
CODE = re.compile(r"^ *```.*?^ *```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z]+)((?: [A-Z_]+=)?[^\n`|&]*)")
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


def code(text: str) -> str:
    """Return the code blocks and code spans of a page, one a line."""
    return "\n".join(CODE.findall(text))


def unknown_commands(text: str) -> list[str]:
    """Return the commands in a page's code that do not exist."""
    printed = code(text)
    variables = {name for names in READ_BY_MAKE for name in names if name}
    unknown = [f"make {target}" for target, _ in MAKE.findall(printed) if target not in TARGETS]
    for _, rest in MAKE.findall(printed):
        given = re.findall(r"\b([A-Z_]{2,})=", rest.partition("#")[0])
        unknown += [
            each for each in given if each not in variables and not re.search(rf'"{each}"|\b{each.lower()}: ', LOCAL)
        ]
    modules = re.findall(r"python -m ((?:infra|tests)[a-z_.]*)", printed)
    unknown += [each for each in modules if importlib.util.find_spec(each) is None]
    tools = re.findall(r"\.tools/([a-z]+)/", printed)
    unknown += [each for each in tools if not (PROJECT / "infra" / "tools" / f"{each}.txt").exists()]
    programs = re.findall(r"\.venv/bin/([a-z-]+)", printed)
    return unknown + [each for each in programs if not (PROJECT / ".venv" / "bin" / each).exists()]


@pages
def test_every_command_of_a_page_exists(page: Path) -> None:
    assert unknown_commands(page.read_text(encoding="utf-8")) == []


def test_unknown_commands_are_found() -> None:
    page = """Let it make sure.
```
make fly SPEED=2
.venv/bin/python -m tests.absent
```
`.tools/none/bin/none` `make run PORT=1 X_Y=2`
"""
    assert unknown_commands(page) == ["make fly", "SPEED", "X_Y", "tests.absent", "none"]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/explanation/architecture.md"])
def test_every_folder_of_the_package_is_on_the_map(page: str) -> None:
    folders = {path.parent.name for path in (PROJECT / "functions" / "provisioner").glob("*/__init__.py")}
    text = (PROJECT / page).read_text(encoding="utf-8")
    assert {each for each in folders if f"{each}/" not in text} == set()
