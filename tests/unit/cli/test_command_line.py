"""The command line as a whole: no argument carries a secret, and each command says what it takes."""

import re

import pytest
import typer
from typer.main import get_command

from close_provisioner.main import program
from close_provisioner.registration import EXAMPLES, PERMISSIONS
from tests.unit.cli.terminal import FakeStack

SECRET = re.compile(r"key|secret|token|password|credential")


def commands() -> dict[str, object]:
    """Return every command by its words."""
    top = get_command(program())
    found: dict[str, object] = {}
    for name, each in top.commands.items():  # type: ignore[attr-defined]
        below = getattr(each, "commands", None)
        found |= {f"{name} {word}": command for word, command in below.items()} if below else {name: each}
    return found


@pytest.mark.parametrize("words", commands())
def test_no_argument_or_option_takes_a_secret(words: str) -> None:
    for parameter in commands()[words].params:  # type: ignore[attr-defined]
        if SECRET.search(parameter.name):
            is_file = parameter.name.endswith("_file") and parameter.metavar == "FILE"
            assert is_file or parameter.is_flag, f"{words}: {parameter.name}"
        assert not parameter.envvar, f"{words}: {parameter.name} would be read from the environment"


@pytest.mark.parametrize("words", commands())
def test_help_has_examples_and_permissions(stack: FakeStack, words: str) -> None:
    ran = stack.run(f"{words} --help")
    assert ran.code == 0
    assert f"\n  Examples:\n    close-provisioner {words}" in ran.out
    assert "\n  Permissions:\n" in ran.out
    for permission in PERMISSIONS[words]:
        assert permission in ran.out
    assert ran.out.splitlines()[2].strip()[0].isupper()


def test_each_example_is_a_line_that_the_program_takes() -> None:
    assert set(EXAMPLES) == set(PERMISSIONS) == set(commands())
    for words, lines in EXAMPLES.items():
        assert any(line.startswith(words) for line in lines)


def test_short_help_is_never_cut(stack: FakeStack) -> None:
    for line in ("--help", "requests --help", "tenants --help", "sources --help", "dead-letters --help"):
        assert "..." not in stack.run(line).out.partition("Commands:")[2]


def test_the_version_is_that_of_the_package(stack: FakeStack) -> None:
    ran = stack.run("--version")
    assert ran.code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", ran.out)


def test_completion_knows_every_group() -> None:
    assert isinstance(program(), typer.Typer)
    assert {words.split()[0] for words in commands()} >= {"requests", "tenants", "sources", "dead-letters", "status"}
