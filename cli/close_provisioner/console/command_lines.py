"""Finds the commands in the sentences of the service, as this machine runs them, for a page to offer them to copy."""

import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from close_provisioner.stack.which import DEFAULT, Stack

PROGRAM = "close-provisioner"
PROSE = "or|and|if|then|else|with|again"
"""Words that follow a command in a sentence, and are none of its own."""
COMMAND = re.compile(rf"{PROGRAM}((?: (?!(?:{PROSE})\b)[\w:./@-]*\w)+)")
NEEDS_ADMINISTRATOR = {"plan-limit", "permission-missing"}
"""Problems that only Close's side can end. On this machine, the simulated Close does."""
NEEDS_KEY = re.compile(r"tenants (?:add|rotate) (\S+)")


@dataclass(frozen=True, slots=True)
class CommandLines:
    """The way to run the program. ``stack``: the option that names the stack.

    ``is_local``: ``make key`` and ``make allow`` work.
    """

    program: str = PROGRAM
    stack: str = ""
    is_local: bool = False

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Return how the program of this process is run for a stack."""
        beside = Path(sys.executable).with_name(PROGRAM)
        here = Path.cwd()
        program = PROGRAM
        if not shutil.which(PROGRAM) and beside.exists():
            program = str(beside.relative_to(here) if beside.is_relative_to(here) else beside)
        named = "" if stack.is_local or stack.name == DEFAULT else f" --stack {stack.name}"
        return cls(program, named, is_local=stack.is_local)

    def within(self, text: str) -> list[str]:
        """Return each command that a text names, ready to be run."""
        return [self._line(command.strip()) for command in COMMAND.findall(text)]

    def before(self, problem: str | None, tenant: str) -> list[str]:
        """Return the command that comes before those of an explanation, if this machine has one."""
        return [f"make allow TENANT={tenant}"] if self.is_local and problem in NEEDS_ADMINISTRATOR else []

    def _line(self, command: str) -> str:
        line = f"{self.program} {command}{self.stack}"
        needs_key = NEEDS_KEY.fullmatch(command)
        return f"make key TENANT={needs_key[1]} | {line}" if needs_key and self.is_local else line
