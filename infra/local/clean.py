"""Checks before ``make clean`` that no local stack is up in ``.local`` or in a folder of it.

Stops the processes that a killed run left: the file that records them is about to be removed.
"""

import sys
from pathlib import Path

from infra.local.config import PROJECT
from infra.local.state_dir import LOCK, InUse, StateDir


def main(folder: Path = PROJECT / ".local") -> int:
    """Return 1 while a stack is up, and print the process that owns it."""
    for lock in sorted(folder.rglob(LOCK)):
        state = StateDir(lock.parent)
        try:
            stopped = state.claim()
        except InUse as error:
            stop = f"Stop it with Ctrl-C in its terminal or `kill {error.pid}`"
            print(f"Nothing was removed: a local stack is up (process {error.pid}). {stop}.", file=sys.stderr)
            return 1
        state.release()
        for name in stopped:
            print(f"stopped a process that a killed run left: {name}")
    return 0
