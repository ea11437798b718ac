"""A command line of ``close-provisioner``, run in this process with pipes for its streams."""

import io
import shlex
from dataclasses import dataclass
from typing import Any

from close_provisioner.host import Host
from close_provisioner.main import run


@dataclass(frozen=True)
class CommandDone:
    """The end of one command line in a pipe."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]


def run_in_pipe(line: str, stdin: str = "", **surroundings: Any) -> CommandDone:
    """Run the command line. ``surroundings``: the other parts of its ``Host``."""
    out, err = io.StringIO(), io.StringIO()
    host = Host(stdin=io.StringIO(stdin), stdout=out, stderr=err, **surroundings)
    return CommandDone(run(shlex.split(line), host), out.getvalue(), err.getvalue())
