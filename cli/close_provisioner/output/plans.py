"""Plans with their signs in color, and outcomes in a few lines."""

from rich.text import Text

from close_provisioner.client.plans import Plan
from close_provisioner.client.requests import Outcome, TypeOutcome
from close_provisioner.output.printer import Printer

COLORS = {"+": "green", "~": "yellow", "!": "bold red", "=": "dim"}
GOOD = {"created": "green", "recovered": "green", "updated": "yellow", "unchanged": "", "adopted": "cyan"}
BAD = "bold red"


def print_plan(printer: Printer, plan: Plan) -> None:
    """Print the plan of one tenant, and its total."""
    printer.line(Text(plan.tenant, "bold"))
    for line in plan.text.splitlines():
        printer.line(Text(f"  {line}", COLORS.get(line.lstrip()[:1], "")))
    printer.line()
    printer.line(f"  {total(plan)}")


def total(plan: Plan) -> str:
    """Return the number of steps in words."""
    if plan.is_rejected:
        return "The request would be rejected: the type exists, and must not."
    steps = "Nothing to do" if not plan.steps else f"{plan.steps} step{'' if plan.steps == 1 else 's'}"
    return f"{steps}, {plan.blocked} blocked." if plan.blocked else f"{steps}."


def result_text(result: str) -> Text:
    """Return a result in its color."""
    return Text(result, GOOD.get(result, BAD))


def print_outcome(printer: Printer, outcome: Outcome) -> None:
    """Print the result of a request, of each type, and the problem if there is one."""
    mark = Text("✔ ", "green") if outcome.is_good else Text("✖ ", BAD)
    printer.line(mark + result_text(outcome.result) + Text(f"  {outcome.tenant}/{outcome.request_id}"))
    for each in outcome.types:
        printer.line(_type_line(each))
        for step in each.steps:
            printer.line(f"      {step}")
        for kept in each.differences:
            printer.line(Text(f"      = kept {kept.get('field')}: {kept.get('observed')!r}", COLORS["="]))
        for blocked in each.blocked:
            printer.line(Text(f"      ! blocked {blocked.get('field')}: {blocked.get('reason')}", COLORS["!"]))
    if outcome.problem:
        printer.paragraph(outcome.problem.sentence, 2)


def _type_line(each: TypeOutcome) -> Text:
    line = Text("  ") + Text(f"{each.result:<10}", GOOD.get(each.result, BAD)) + Text(f"  {each.name}")
    return line + Text(f"  {each.id}", "dim") if each.id else line
