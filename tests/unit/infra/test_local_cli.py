"""The command line of the local stack: ``python -m infra.local``."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.local.__main__ import main
from infra.local.config import Options

SEND_VARIABLES = ("SOURCE", "EVENT", "TENANT", "AGAIN", "TAMPER", "URL", "SECRET")


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables that a command received."""
    variables: dict[str, str] = {}

    def command(given: Mapping[str, str], _state: Path | None = None) -> int:
        variables.update(given)
        return 3

    monkeypatch.setattr("infra.local.run.main", command)
    monkeypatch.setattr("infra.local.send.main", command)
    return variables


def test_options_take_precedence_over_variables(received: dict[str, str]) -> None:
    assert main(["run", "--port", "0", "--once", "--no-examples"], {"PORT": "4600", "LIST_LAG_SECONDS": "2"}) == 3
    assert received == {"PORT": "0", "ONCE": "1", "EXAMPLES": "0", "LIST_LAG_SECONDS": "2"}


def test_send_passes_its_options_on(received: dict[str, str]) -> None:
    assert main(["send", "--source", "github", "--again"], {"TENANT": "acme"}) == 3
    assert received == {"SOURCE": "github", "AGAIN": "1", "TENANT": "acme"}


@pytest.mark.parametrize(("command", "variables"), [("run", tuple(Options.variables())), ("send", SEND_VARIABLES)])
def test_help_names_every_variable(
    command: str, variables: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert [name for name in variables if name not in shown] == []


def test_a_command_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 2
    assert "run | send | key | allow | clean" in capsys.readouterr().err
