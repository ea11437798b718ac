"""Commands in the service's sentences are found whole, and are the program's own."""

import shlex

import pytest

from close_provisioner.console.command_lines import CommandLines
from close_provisioner.main import program
from close_provisioner.registration import EXAMPLES
from provisioner.operate.explain import PROBLEMS
from provisioner.operate.pending_reasons import PENDING_REASONS

SENTENCES = [what_next.format(id="0" * 32, tenant="acme") for _, what_next in PROBLEMS.values()]
SENTENCES += [each.what_to_do for each in PENDING_REASONS]


@pytest.mark.parametrize("sentence", [each for each in SENTENCES if "close-provisioner" in each])
def test_each_command_in_an_explanation_exists(sentence: str) -> None:
    program()
    found = CommandLines().within(sentence)
    assert len(found) == sentence.count("close-provisioner ")
    for line in found:
        assert " ".join(shlex.split(line)[1:3]) in EXAMPLES, line


def test_a_command_ends_where_the_prose_goes_on() -> None:
    text = (
        "The operator stores it: close-provisioner tenants rotate acme.eu; then retry it: "
        "close-provisioner requests retry 00ff. Run close-provisioner sources add stripe with the sender's secret."
    )
    assert CommandLines(stack=" --stack prod").within(text) == [
        "close-provisioner tenants rotate acme.eu --stack prod",
        "close-provisioner requests retry 00ff --stack prod",
        "close-provisioner sources add stripe --stack prod",
    ]


def test_a_new_key_is_made_on_the_local_stack() -> None:
    lines = CommandLines(".venv/bin/close-provisioner", is_local=True)
    assert lines.within("close-provisioner tenants rotate initech; then retry it") == [
        "make key TENANT=initech | .venv/bin/close-provisioner tenants rotate initech"
    ]


def test_the_simulated_close_gives_a_plan_and_a_permission() -> None:
    here, away = CommandLines(is_local=True), CommandLines()
    assert (
        here.before("plan-limit", "hooli") == here.before("permission-missing", "hooli") == ["make allow TENANT=hooli"]
    )
    assert here.before("blocked", "hooli") == here.before(None, "hooli") == away.before("plan-limit", "hooli") == []
