"""Progress in plain lines: what is being done, and how long it took. Reads the same on a terminal and in a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Progress:
    """Writes to ``stream`` (standard output, when None); ``quiet`` writes nothing."""

    stream: TextIO | None = None
    quiet: bool = False

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """``building the functions … 6.2 s`` around a block; the same line says so when the block fails."""
        started = monotonic()
        self._write(f"  {what} … ")
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
