"""What ``make clean`` asks before it removes anything: whether a local stack is up in ``.local``, or in a folder of it.

What a killed run left running is ended, since nobody would know of it afterwards.
"""

import sys
from pathlib import Path

from infra.local.config import PROJECT
from infra.local.state_dir import LOCK, InUse, StateFolder


def main(folder: Path = PROJECT / ".local") -> int:
    """1 while a stack is up; and then says whose it is."""
    for lock in sorted(folder.rglob(LOCK)):
        state = StateFolder(lock.parent)
        try:
            ended = state.claim()
        except InUse as error:
            how = f"Ctrl-C where it runs or `kill {error.pid}` ends it"
            print(f"Nothing was removed: a local stack is up (process {error.pid}), and {how}.", file=sys.stderr)
            return 1
        state.release()
        for name in ended:
            print(f"ended what a killed run had left running: {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
