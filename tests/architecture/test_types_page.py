"""Each request in the guides to types and blueprints has the plan that is printed below it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.blueprints import load, names
from provisioner.contract.validation import parse_request
from provisioner.reconcile.plan import ObservedState
from provisioner.reconcile.render import plan_as_text
from tests.planning import plan

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
TYPES, BLUEPRINTS = ((GUIDES / f"{name}.md").read_text(encoding="utf-8") for name in ("types-and-plans", "blueprints"))
BLOCK = re.compile(r'```(?:json|text) title="(Request|Close has|Plan)"\n(.*?)```', re.DOTALL)


def examples() -> Iterator[Any]:
    """Yield each request with the state of Close that it meets, and its plan."""
    close: dict[str, Any] = {}
    request = ""
    for kind, text in BLOCK.findall(f"{BLUEPRINTS}\n{TYPES}"):
        match kind:
            case "Close has":
                close = json.loads(text)
            case "Request":
                request = text
            case "Plan":
                yield pytest.param(request, close, text, id=json.loads(request)["request_id"])


@pytest.mark.parametrize(("request_", "close", "expected"), [*examples()])
def test_each_request_gives_its_plan(request_: str, close: dict[str, Any], expected: str) -> None:
    seen = ObservedState(
        [CustomObjectType.model_validate(each) for each in close.get("types", [])],
        [CustomField.model_validate(each) for each in close.get("fields", [])],
    )

    shown = plan_as_text(plan(parse_request(request_), seen))

    assert re.sub(r"; digest [0-9a-f]{64}$", "", shown.rstrip()) == expected.rstrip()


def test_there_is_an_example_of_every_kind() -> None:
    assert len([*examples()]) == 8


def test_every_blueprint_is_explained_with_its_values() -> None:
    for name in names():
        [row] = [line for line in BLUEPRINTS.splitlines() if line.startswith(f"| `{name}` |")]
        assert set(re.findall(r"`([a-z_]+)`", row.rpartition("|")[0].rpartition("|")[2])) == set(load(name).values)
