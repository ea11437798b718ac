"""The status of a stack as one screen of lines."""

import shlex
from collections.abc import Iterator, Mapping

from rich.text import Text

from close_provisioner.client.alarms import Alarm
from close_provisioner.client.status import Status, Trouble
from close_provisioner.output.plans import BAD, GOOD
from close_provisioner.output.printer import Printer
from close_provisioner.output.times import Times, duration

ORDER = ("created", "recovered", "updated", "unchanged", "adopted", "failed", "unresolved", "waiting")
NAME_WIDTH = 14


def print_status(printer: Printer, where: str, found: Status, alarms: list[Alarm] | str) -> None:
    """Print the screen. ``where``: the stack. ``alarms``: those that are on, or why they are not known."""
    lines = [
        ("stack", Text(f"{where} · version {found.version}")),
        ("last hour", _results(found.last_hour)),
        ("last day", _results(found.last_day)),
        *_troubles(found, printer.times),
        ("unfinished", _unfinished(found, printer.times)),
        ("queue", _queue(found)),
        ("dead-letters", _dead_letters(found)),
        ("alarms", _alarms(alarms, printer.times)),
    ]
    for name, value in lines:
        if printer.is_interactive:
            printer.paragraph(value, 2, Text(f"{name:<{NAME_WIDTH}}", "bold"))
        else:
            printer.line(f"{name}\t{value.plain}")


def _results(counts: Mapping[str, int]) -> Text:
    """Return the numbers by result, in a fixed order, without zeros."""
    given = {name: counts[name] for name in (*ORDER, *sorted(counts)) if counts.get(name)}
    if not given:
        return Text("no requests", "dim")
    line = Text()
    for number, (name, count) in enumerate(given.items()):
        style = BAD if name in {"failed", "unresolved"} else GOOD.get(name, "")
        line += Text("   " if number else "") + Text(f"{count} {name}", style)
    return line


def _troubles(found: Status, times: Times) -> Iterator[tuple[str, Text]]:
    for number, each in enumerate(found.by_problem):
        since = f" since {times.short(each.since)}" if each.since else ""
        yield (
            "" if number else "in trouble",
            Text(f"{each.count} {each.problem}  {each.tenant}{since}  → {_hint(each)}", BAD),
        )


def _hint(each: Trouble) -> str:
    """Return the command that shows the request, or all of them."""
    if each.count == 1 and each.newest:
        return f"requests show {shlex.quote(f'{each.tenant}/{each.newest}')}"
    return f"requests list -t {each.tenant} --problem {each.problem}"


def _unfinished(found: Status, times: Times) -> Text:
    oldest = found.unfinished.oldest_accepted_at
    if not oldest:
        return Text(f"{found.unfinished.count}")
    age = times.age(oldest)
    return Text(f"{found.unfinished.count}, the oldest for {age}  → requests list --state waiting --since 7d")


def _queue(found: Status) -> Text:
    age = found.queue.oldest_seconds
    return Text(f"{found.queue.depth}" + (f", the oldest for {duration(age)}" if age else ""))


def _dead_letters(found: Status) -> Text:
    given_up = {queue: number for queue, number in found.dead_letters.items() if number}
    shown = ", ".join(f"{number} in {queue}" for queue, number in given_up.items())
    return Text(f"{shown}  → dead-letters list", BAD) if given_up else Text("0")


def _alarms(alarms: list[Alarm] | str, times: Times) -> Text:
    if isinstance(alarms, str):
        return Text(f"not known: {alarms}", "yellow")
    if not alarms:
        return Text("all off")
    return Text(", ".join(f"{each.suffix} since {times.short(each.since)}" for each in alarms), BAD)
