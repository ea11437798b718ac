"""Judge the translated template by what AWS documents and no linter checks: ``python -m infra.checks.aws_rules FILE``.

Each rule names its source. tests/architecture/test_aws_rules.py puts each fault back and sees it found.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from infra.checks.aws import alarms, api_gateway, functions, leftovers
from infra.checks.aws.stack import Rule, Stack
from infra.checks.cloudformation import Template

MONITORING = Path(__file__).resolve().parents[1] / "monitoring.yaml"

RULES: tuple[Rule, ...] = (
    functions.loops_are_allowed_where_they_are_meant,
    functions.a_changed_parameter_makes_a_new_version,
    api_gateway.the_accounts_setting_waits_for_an_api,
    api_gateway.bodies_arrive_byte_for_byte,
    api_gateway.old_tls_is_refused,
    api_gateway.the_gateways_own_answers_are_problems,
    alarms.queries_follow_the_grammar,
    alarms.every_alarm_says_what_missing_data_means,
    leftovers.a_deleted_stack_leaves_no_name_behind,
    leftovers.names_are_short_enough,
    leftovers.policies_are_small_enough,
)


class Written(yaml.SafeLoader):
    """Reads ``!Ref x`` and similar tags as the value after the tag."""


def _value_after_the_tag(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    match node:
        case yaml.ScalarNode():
            return loader.construct_scalar(node)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            return loader.construct_mapping(node, deep=True)
    raise NotImplementedError(node)


Written.add_multi_constructor("!", _value_after_the_tag)


def monitoring() -> dict[str, Any]:
    """Return the template of the alarms."""
    template: dict[str, Any] = yaml.load(MONITORING.read_text(encoding="utf-8"), Loader=Written)  # noqa: S506 - a safe loader
    return template


def faults(stack: Stack) -> list[str]:
    """Return every fault that a rule finds."""
    return [fault for rule in RULES for fault in rule(stack)]


def main(translated: str) -> int:
    found = faults(Stack(Template(json.loads(Path(translated).read_text(encoding="utf-8"))), monitoring()))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
