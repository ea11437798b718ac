"""Functions and files of functions/, infra/ and cli/ stay short enough to read at one sitting."""

import ast
from pathlib import Path

import pytest

from tests.architecture.conftest import PROJECT

FUNCTION_LINES = 40
FILE_LINES = 250

LONGER = {
    "functions/provisioner/handlers/api.py",
}
"""Files that have yet to be split. No file may be added."""

FILES = sorted(path for folder in ("functions", "infra", "cli") for path in (PROJECT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_files_and_functions_are_short(path: Path) -> None:
    name = path.relative_to(PROJECT).as_posix()
    source = path.read_text(encoding="utf-8")
    too_long = [f"{each} ({lines} lines)" for each, lines in functions(source) if lines > FUNCTION_LINES]
    if len(source.splitlines()) > FILE_LINES:
        too_long.append(f"{name} ({len(source.splitlines())} lines)")
    if name not in LONGER:
        assert too_long == []


def functions(source: str) -> list[tuple[str, int]]:
    """Return the name and the number of lines of every function."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
