"""Progress in plain lines: each step, and how long it took. It reads the same on a terminal and in a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Progress:
    """Lines on ``stream`` (None: standard output). ``quiet`` writes nothing."""

    stream: TextIO | None = None
    quiet: bool = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Print ``building the functions … 6.2 s`` around a block, or that the block failed or was stopped."""
        started = monotonic()
        self._write(f"  {name} … ")
        try:
            yield
        except BaseException as error:
            word = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            self._write(f"{word} after {monotonic() - started:.1f} s\n")
            raise
        self._write(f"{monotonic() - started:.1f} s\n")

    def say(self, text: str = "") -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        if not self.quiet:
            stream = self.stream or sys.stdout
            stream.write(text)
            stream.flush()
