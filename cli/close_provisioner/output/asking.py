"""Questions to the operator: yes or no, a word to repeat, and a secret that is not shown."""

import getpass
import sys
from pathlib import Path

from close_provisioner.errors import Interrupted, Misused
from close_provisioner.output.printer import Printer

NO_TERMINAL = "No terminal to ask on was found: give --yes to go on without a question."


def confirm(printer: Printer, question: str, *, yes: bool) -> None:
    """Return if the operator agrees, or gave ``--yes``. Raises ``Interrupted`` if not."""
    if yes:
        return
    if not printer.may_ask:
        raise Misused(NO_TERMINAL)
    if _answer(printer, f"{question} [y/N] ").lower() not in {"y", "yes"}:
        raise Interrupted("Nothing was done.")


def confirm_by_name(printer: Printer, name: str, *, yes: bool) -> None:
    """Return if the operator types the name of the subject of an action that cannot be undone."""
    if yes:
        return
    if not printer.may_ask:
        raise Misused(NO_TERMINAL)
    if _answer(printer, f"Type {name} to go on: ") != name:
        raise Interrupted("Nothing was done.")


def read_secret(printer: Printer, subject: str, file: Path | None) -> str:
    """Return a secret from a file, from standard input (``-`` or a pipe), or from a prompt that does not show it."""
    if file is not None and str(file) != "-":
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise Misused(f"{file} cannot be read: {error.strerror}.") from None
    elif file is None and printer.may_ask:
        text = _hidden(printer, f"{subject} (not shown): ")
    else:
        text = printer.host.stdin.read()
    if not text.strip():
        raise Misused(f"{subject} is empty. Nothing was stored.")
    return text.strip()


def _answer(printer: Printer, prompt: str) -> str:
    printer.host.stderr.write(prompt)
    printer.host.stderr.flush()
    line = printer.host.stdin.readline()
    if not line:
        raise Interrupted("Nothing was done.")
    return line.strip()


def _hidden(printer: Printer, prompt: str) -> str:
    if printer.host.stdin is sys.stdin:
        try:
            return getpass.getpass(prompt, printer.host.stderr)
        except EOFError:  # Ctrl-D
            raise Interrupted("Nothing was done.") from None
    return _answer(printer, prompt)
