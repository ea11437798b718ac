"""Prints answers: for people on a terminal, tab-separated in a pipe, or as JSON. Notes go to standard error."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from close_provisioner.host import Host
from close_provisioner.output.table import Column, Table, Value
from close_provisioner.output.times import Times
from close_provisioner.visible import visible, visible_json

NARROWEST = 40


@dataclass(frozen=True)
class Printer:
    """Standard output and standard error of one command."""

    host: Host
    as_json: bool = False
    utc: bool = False

    @property
    def times(self) -> Times:
        zone: tzinfo | None = UTC if self.utc else None
        return Times(self.host.now(), zone)

    @property
    def is_interactive(self) -> bool:
        """Whether a person reads the output: a terminal, and not JSON."""
        return _is_terminal(self.host.stdout) and not self.as_json

    @property
    def may_ask(self) -> bool:
        """Whether a person can be asked: both the input and the notes are on a terminal."""
        return _is_terminal(self.host.stdin) and _is_terminal(self.host.stderr)

    @cached_property
    def console(self) -> Console:
        return self._console(self.host.stdout)

    @cached_property
    def notes(self) -> Console:
        return self._console(self.host.stderr)

    def table(
        self,
        columns: Sequence[Column],
        rows: Sequence[Sequence[Value]],
        documents: Iterable[Mapping[str, Any]],
        *,
        empty: str,
        titled: bool = True,
    ) -> None:
        """Print a list. ``documents``: the same as JSON, one object a line. ``empty``: the sentence for no row."""
        if self.as_json:
            for document in documents:
                self.line(visible_json(document))
        elif not self.is_interactive:
            for line in Table(columns, rows).as_lines():
                self.line(line)
        elif rows:
            for shown in Table(columns, rows).for_terminal(self.console, titled=titled):
                self.line(shown)
        if not rows:
            self.note(empty)

    def document(self, document: Any) -> None:
        """Print one JSON document."""
        self.line(visible_json(document, indent=2))

    def line(self, text: str | Text = "") -> None:
        """Print a line, whole: a terminal wraps it, and nothing else does. Tabs stay tabs in a pipe."""
        text = harmless(text)
        if not _is_terminal(self.host.stdout):
            self.host.stdout.write(f"{text.plain}\n")
            return
        self.console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def paragraph(self, text: str | Text, indent: int = 0, label: Text | None = None) -> None:
        """Print text after its label. On a terminal it goes on below its own first word; in a pipe it is one line."""
        shown = harmless(text)
        start = label or Text()
        if not self.is_interactive:
            self.line(start + shown)
            return
        first = Text(" " * indent) + start
        room = max(self.console.width - first.cell_len, NARROWEST // 2)
        for number, line in enumerate(shown.wrap(self.console, room, overflow="fold")):
            line.rstrip()
            self.line((Text(" " * first.cell_len) if number else first) + line)

    def note(self, text: str | Text) -> None:
        """Print a remark that is not part of the answer."""
        self.notes.print(harmless(text), soft_wrap=True, highlight=False, markup=False, emoji=False)

    def error(self, text: str) -> None:
        """Print why the command ends without its answer."""
        self.note(Text("✖ ", "bold red") + Text(text) if _is_terminal(self.host.stderr) else text)

    def _console(self, stream: TextIO) -> Console:
        terminal = _is_terminal(stream)
        width = self.host.width or (_columns(stream) if terminal else None)
        no_color = bool(self.host.environment.get("NO_COLOR")) or self.host.environment.get("TERM") == "dumb"
        return Console(
            file=stream,
            force_terminal=terminal,
            no_color=no_color,
            width=max(width, NARROWEST) if width else None,
            height=25 if width else None,  # without it, a terminal without colors counts as 80 columns wide
            legacy_windows=False,
            _environ={**self.host.environment},
        )


def harmless(text: str | Text) -> Text:
    """Return the text with its invisible characters shown: escapes of a terminal in a body do nothing."""
    plain = text.plain if isinstance(text, Text) else text
    shown = visible(plain, keep="\n\t")
    return text if isinstance(text, Text) and shown == plain else Text(shown)


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty()


def _columns(stream: TextIO) -> int | None:
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None
