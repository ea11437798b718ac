"""The rules of imports that import-linter does not know: pyproject.toml has the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.conftest import PROJECT

FUNCTIONS = PROJECT / "functions"


def imported_packages(path: Path) -> Iterator[str]:
    """Return the top-level package of every import in the file, those in functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.split(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.split(".")[0]
            case ast.ImportFrom():
                raise AssertionError(f"{path} imports relatively: write the whole name")


def test_functions_import_nothing_that_is_not_shipped() -> None:
    for path in FUNCTIONS.rglob("*.py"):
        assert not {"infra", "cli", "tests"} & set(imported_packages(path)), path


def test_no_terminal_is_shipped_to_lambda() -> None:
    requirements = (FUNCTIONS / "requirements.txt").read_text(encoding="utf-8")
    for package in ("typer", "rich", "shellingham", "pyyaml"):
        assert f"\n{package}==" not in f"\n{requirements}", package
    for path in FUNCTIONS.rglob("*.py"):
        assert not {"close_provisioner", "typer", "rich", "yaml"} & set(imported_packages(path)), path


def test_packages_of_the_service_have_empty_init_files() -> None:
    files = sorted((FUNCTIONS / "provisioner").glob("*/__init__.py"))
    assert len(files) == 9
    assert [path for path in files if path.read_text(encoding="utf-8").strip()] == []
