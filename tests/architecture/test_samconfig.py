"""The stacks of samconfig.toml: overrides are parameters, and two stacks of one account do not collide."""

import json
import re
import subprocess
import tomllib
from itertools import combinations
from typing import Any

import pytest

from infra.checks.cloudformation import Template
from tests.architecture.conftest import PROJECT

CONFIG = tomllib.loads((PROJECT / "samconfig.toml").read_text(encoding="utf-8"))
STACKS = {name: each["global"]["parameters"] for name, each in CONFIG.items() if name != "version"}


def overrides(stack: str) -> dict[str, str]:
    """Return the overrides as the SAM CLI reads them: only empty quotes keep their quotes."""
    pairs = (each.partition("=") for each in STACKS[stack]["parameter_overrides"])
    return {name: value.strip("'") for name, _, value in pairs}


@pytest.mark.parametrize("stack", STACKS)
def test_every_override_is_a_value_that_its_parameter_takes(template: Template, stack: str) -> None:
    for name, value in overrides(stack).items():
        parameter: dict[str, Any] = template.source["Parameters"][name]
        assert value in {str(each) for each in parameter.get("AllowedValues", [value])}
        assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)


def test_no_two_stacks_share_secrets_or_process_the_same_event(template: Template) -> None:
    stacks = {name: Template(template.source, overrides(name)) for name in STACKS}
    assert len({each["stack_name"] for each in STACKS.values()}) == len(stacks) == 2
    for one, other in combinations(stacks.values(), 2):
        for prefix in ("TenantSecretPrefix", "SourceSecretPrefix"):
            shorter, longer = sorted((one.parameter(prefix), other.parameter(prefix)), key=len)
            assert not f"{longer}/".startswith(f"{shorter}/")
    rules = [stack.resources("AWS::Events::Rule")["EventsFunctionRequested"] for stack in stacks.values()]
    buses = [rule["EventBusName"] for rule in rules if rule["State"] == "ENABLED"]
    assert buses == [], "each stack takes events from a bus only where one is named"


def test_hole_9_production_has_a_web_acl(template: Template) -> None:
    acls = {name: Template(template.source, overrides(name)).resources("AWS::WAFv2::WebACL") for name in STACKS}
    assert [name for name in STACKS if acls[name]] == ["prod"]


def test_the_sam_cli_reads_overrides_as_these_tests_do() -> None:
    """The CLI's own parser, also for an empty value: it is empty, not two quotes."""
    given = ["EventBusName=''", 'EventBusSource=""', *STACKS["dev"]["parameter_overrides"]]
    code = (
        "import json, sys; from samcli.cli.types import CfnParameterOverridesType;"
        "print(json.dumps(CfnParameterOverridesType().convert(tuple(json.loads(sys.argv[1])), None, None)))"
    )
    command: list[Any] = [PROJECT / ".tools" / "sam" / "bin" / "python", "-c", code, json.dumps(given)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    read = json.loads(done.stdout)
    assert read == {"EventBusName": "", "EventBusSource": "", **overrides("dev")}
