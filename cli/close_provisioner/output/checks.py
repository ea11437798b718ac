"""Checks as lines: a mark, what was seen, who can fix it, and the step."""

from collections.abc import Sequence

from rich.text import Text

from close_provisioner.client.checks import Check, Mark
from close_provisioner.output.printer import Printer

MARKS = {
    Mark.OK: Text("✔", "green"),
    Mark.WARNING: Text("!", "yellow"),
    Mark.FAILED: Text("✖", "bold red"),
    Mark.UNKNOWN: Text("?", "cyan"),
}


def print_checks(printer: Printer, subject: str, checks: Sequence[Check]) -> None:
    """Print the checks of one subject. In a pipe: a line for each, with tabs."""
    if not printer.is_interactive:
        for each in checks:
            values = (subject, each.name, each.mark.value, each.seen, each.who or "", each.fix or "")
            printer.line("\t".join(" ".join(value.split()) for value in values))
        return
    printer.line(Text(subject, "bold"))
    width = max((len(each.name) for each in checks), default=0)
    for each in checks:
        printer.paragraph(each.seen, 2, MARKS[each.mark] + Text(f" {each.name:<{width}}  "))
        if each.fix:
            fixer = each.fixer or ""
            said = f"{fixer[:1].upper()}{fixer[1:]}: {each.fix}" if fixer else each.fix
            printer.paragraph(said, 2, Text(" " * (width + 4) + "→ "))
