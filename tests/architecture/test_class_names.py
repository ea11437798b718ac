"""Each class of the tests has a name of its own, so that a reader can search for it."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.architecture.conftest import PROJECT

TESTS = PROJECT / "tests"


def shared_class_names(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the class names that several files define, with those files. ``sources``: Python code by file name."""
    files = defaultdict(list)
    for file, source in sources.items():
        for name in {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}:
            files[name].append(file)
    return {name: found for name, found in sorted(files.items()) if len(found) > 1}


def test_no_two_files_define_a_class_of_one_name() -> None:
    paths: list[Path] = sorted(TESTS.rglob("*.py"))
    sources = {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert shared_class_names(sources) == {}


def test_a_shared_class_name_is_found() -> None:
    sources = {"one.py": "class World: ...\nclass One: ...", "two.py": "def make():\n    class World: ..."}
    assert shared_class_names(sources) == {"World": ["one.py", "two.py"]}
