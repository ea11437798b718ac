"""Requests as rows of a table, and one request as a timeline."""

from collections.abc import Iterator

from rich.text import Text

from close_provisioner.client.requests import Attempt, CloseCall, History, Summary, lost_before
from close_provisioner.output.plans import BAD, GOOD
from close_provisioner.output.printer import Printer
from close_provisioner.output.table import Cell, Column, Value
from close_provisioner.output.times import Times, duration, seconds_between

COLUMNS = (
    Column("TIME"),
    Column("TENANT"),
    Column("REQUEST"),
    Column("FROM", 3),
    Column("WHAT", 5),
    Column("STATE"),
    Column("BECAUSE", 4, wraps=True, below=True),
    Column("ID", 1),
)
type Moment = tuple[str | None, Text]
"""A line of the timeline, with its time; None stands below the line before."""

INDENT = 2
TIME_WIDTH = len("18:42:40.690")


def row(each: Summary, times: Times) -> list[Value]:
    """Return the cells of one request."""
    return [
        times.cell(each.accepted_at),
        each.tenant,
        each.request_id,
        sender(each),
        each.what,
        Cell(state_text(each), each.result or each.state),
        Cell(because(each, times), each.problem or (each.waits_because if each.result is None else None) or ""),
        each.id,
    ]


def sender(each: Summary) -> str | None:
    """Return the entry point, with the source for a webhook."""
    by = each.requested_by or ""
    return f"{each.entry_point} {by.removeprefix('source:')}" if by.startswith("source:") else each.entry_point


def state_text(each: Summary) -> Text:
    """Return the result in its color, or the state of a request without one."""
    if each.result is None:
        return Text(each.state, "cyan")
    return Text(each.result, GOOD.get(each.result, BAD))


def because(each: Summary, times: Times) -> str:
    """Return the reason in a few words: the problem, the wait, the retry."""
    parts = []
    if each.problem and each.problem != each.result:
        parts.append(each.problem)
    if each.result is None and each.waits_because:
        parts.append(each.waits_because.rstrip("."))
    if each.result is None and each.next_at:
        parts.append(f"next try {times.short(each.next_at)}")
    if each.retried_as:
        parts.append("retried")
    if each.state == "settled":
        parts.append("not published yet")
    return "; ".join(parts)


def print_request(printer: Printer, found: History) -> None:
    """Print one request: its head, its timeline, why it is so, and the next step."""
    times = printer.times
    printer.paragraph(_title(found, times))
    for name, value in _facts(found, times):
        printer.paragraph(value, INDENT, Text(f"{name:<12}", "dim"))
    printer.line()
    day = times.day(printer.host.now())
    for at, line in _timeline(found, times):
        if at and times.day(at) != day:
            day = times.day(at)
            printer.line(Text(f"  {day}", "dim"))
        printer.paragraph(line, INDENT, Text(f"{times.exact(at) if at else '':<{TIME_WIDTH}}  ", "dim"))
    if found.explanation:
        printer.line()
        printer.paragraph(found.explanation.because, INDENT)
        printer.paragraph(Text(found.explanation.next, "bold"), INDENT)


def _title(found: History, times: Times) -> Text:
    title = Text(found.name, "bold") + Text(f" · {found.what or '?'} · ")
    title += Text(found.result.upper(), GOOD.get(found.result, BAD)) if found.result else Text("WAITING", "cyan")
    if found.settled_at:
        after = duration(seconds_between(found.accepted_at, found.settled_at))
        tries = f"{found.attempts} attempt{'' if found.attempts == 1 else 's'}"
        return title + Text(f" after {after} in {tries}")
    return title + Text(f" for {times.age(found.accepted_at)}")


def _facts(found: History, times: Times) -> Iterator[tuple[str, str]]:
    yield "id", found.id
    yield "sent by", f"{found.entry_point or 'unknown'}, {found.requested_by or 'unknown'}"
    for each in found.outcome.types if found.outcome else ():
        yield each.result, f"{each.name}{f'  {each.id}' if each.id else ''}"
    if found.retry_of:
        yield "retry of", found.retry_of
    if found.retried_as:
        yield "retried as", found.retried_as
    if found.retained_until:
        yield "kept until", times.full(found.retained_until)


def _timeline(found: History, times: Times) -> Iterator[Moment]:
    yield found.accepted_at, Text(f"accepted over {found.entry_point or 'an unknown entry point'}")
    for each in found.history:
        yield from _attempt(each)
    if found.settled_at and found.result:
        yield found.settled_at, Text("settled ") + Text(found.result, GOOD.get(found.result, BAD))
        yield None, Text("announced" if found.state == "announced" else "not announced yet; the sweeper repeats it")
    elif found.next_at:
        when = f"in {times.age(found.next_at)}" if not times.is_past(found.next_at) else "is due"
        yield found.next_at, Text(f"next try, {when}", "cyan")


def _attempt(each: Attempt) -> Iterator[Moment]:
    where = f", {each.entry_point}" if each.entry_point else ""
    took = f", {each.ms:.0f} ms" if each.ms is not None else ""
    yield each.started_at, Text(f"attempt {each.attempt}{where}{took}")
    if lost := lost_before(each):
        yield None, Text(lost, BAD)
    yield from ((None, _call(call)) for call in each.calls)
    if each.ended == "deferred":
        wait = f"waits {duration(each.seconds)}" if each.seconds is not None else "waits"
        yield None, Text(f"{wait}: {each.reason or 'no reason was recorded'}", "yellow")


def _call(call: CloseCall) -> Text:
    status = str(call.status) if call.status is not None else "lost"
    took = f"{call.ms:.0f} ms" if call.ms is not None else ""
    good = call.status is not None and call.status < 400
    line = Text(f"  {call.method:<5} {call.path:<24} ") + Text(f"{status:>4}", "green" if good else BAD)
    return line + Text(f"  {took:>7}") + (Text(f"  {call.error}", BAD) if call.error else Text())
