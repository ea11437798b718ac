"""Who may import whom in functions/provisioner.

Doors may import anything, and nobody imports them. Adapters import the words and one SDK each, never each other. The
core imports the words and the standard library.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.conftest import PROJECT

FUNCTIONS = PROJECT / "functions"
PACKAGE = "provisioner"

DOORS = {"api", "worker", "sweeper", "webhooks", "events"}
ASSEMBLY = {"assembly", "intake"}
CORE = {
    *{"provision", "verdict", "look", "apply", "resolve", "compare"},
    *{"plan", "planning", "planning_fields", "plan_view"},
    *{"signatures", "secret_events"},
}
WORDS = {"spec", "contract", "close_words", "errors", "records", "request_body", "blueprints", "fitting", "schemes"}

THE_WORDS_OWN = "pydantic"
"""The library that the words are made of."""

EDGES: dict[str, tuple[set[str], set[str]]] = {
    # What of ours, and which libraries, each may import.
    "settings": (set(), {THE_WORDS_OWN}),
    "telemetry": (set(), {"aws_lambda_powertools"}),
    "gateway": (WORDS, set()),
    "aws_clients": (set(), {"botocore"}),
}

ADAPTERS = {
    # Each adapter's modules, and the one SDK it may import. An adapter's modules may import one another.
    "ledger": ({"ledger", "ledger_items", "broken_events", "waiting"}, "botocore"),
    "close": ({"close", "close_http", "close_answers"}, "httpx"),
    "secrets": ({"secret_cache", "tenants", "source_keys"}, "botocore"),
    "outcomes": ({"outcomes"}, "botocore"),
    "messages": ({"messages"}, "botocore"),
    "sources": ({"sources", "mapping"}, "jmespath"),
}
ADAPTER_MODULES = {module: (modules, sdk) for modules, sdk in ADAPTERS.values() for module in modules}


def modules() -> dict[str, Path]:
    return {path.stem: path for path in (FUNCTIONS / PACKAGE).glob("*.py") if path.stem != "__init__"}


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, by its whole name, wherever in the file it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                own = {alias.name for alias in names} & set(modules()) if module == PACKAGE else set()
                yield from (f"{module}.{name}" for name in own) if own else [module]
            case ast.ImportFrom():
                pytest.fail(f"{path.name} imports relatively: write the whole name")


def own_imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{PACKAGE}.")}


def other_imports(path: Path) -> set[str]:
    roots = {name.split(".")[0] for name in imports(path)}
    return roots - set(sys.stdlib_module_names) - {PACKAGE}


def may_import(module: str) -> tuple[set[str], set[str]]:
    """The modules of ours, and the libraries, that the module may import."""
    if module in WORDS:
        return WORDS, {THE_WORDS_OWN}
    if module in CORE:
        return WORDS | CORE, set()
    if module in ADAPTER_MODULES:
        siblings, sdk = ADAPTER_MODULES[module]
        return WORDS | siblings, {sdk, THE_WORDS_OWN}
    if module in EDGES:
        return EDGES[module]
    everything_behind = ASSEMBLY | CORE | WORDS | set(EDGES) | set(ADAPTER_MODULES)
    return everything_behind, {"aws_lambda_powertools", "boto3", "botocore", "certifi", "httpx", THE_WORDS_OWN}


def test_every_module_has_a_place() -> None:
    assert set(modules()) == DOORS | ASSEMBLY | CORE | WORDS | set(EDGES) | set(ADAPTER_MODULES)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_its_place_allows(module: str) -> None:
    ours, libraries = may_import(module)
    path = modules()[module]
    assert own_imports(path) <= ours - {module}
    assert other_imports(path) <= libraries


def test_nobody_imports_a_door_and_only_doors_put_together() -> None:
    for module, path in modules().items():
        assert not own_imports(path) & DOORS, module
        assert module in DOORS or not own_imports(path) & ASSEMBLY, module


def test_only_doors_log_and_count() -> None:
    assert {module for module, path in modules().items() if "telemetry" in own_imports(path)} <= DOORS


def test_what_ships_imports_nothing_that_does_not() -> None:
    for path in FUNCTIONS.rglob("*.py"):
        assert not {"infra", "tests"} & {name.split(".")[0] for name in imports(path)}, path
