"""The end of the examples: how many gave the expected result, and the types that Close holds now."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from infra.local.examples.examples import Example, Exchange
from infra.local.examples.tenants import organizations
from infra.simulator import ControlClient


def summary(exchanges: Sequence[Exchange], not_sent: Sequence[Example], close: ControlClient) -> Text:
    """Return several lines. ``not_sent``: the examples that would take too long."""
    text = Text("\n").append_text(score(exchanges)).append(f"  {stored(exchanges)}\n", "dim")
    for exchange in exchanges:
        if faults := exchange.faults():
            text.append(f"    {exchange.example.name}: {'; '.join(faults)}\n", "red")
    for example in not_sent:
        text.append(f"  Not sent: {example.name}, which takes twice the list lag of 60 seconds. To see it:\n", "dim")
        text.append("    make run LIST_LAG_SECONDS=2\n")
    return text.append("\n").append_text(_types_in_close(close))


def score(exchanges: Sequence[Exchange]) -> Text:
    """Return one line: how many examples gave the expected result."""
    good = sum(not exchange.faults() for exchange in exchanges)
    line = f"  {good} of {len(exchanges)} examples gave the expected result\n"
    return Text(line, "bold green" if good == len(exchanges) else "bold red")


def stored(exchanges: Sequence[Exchange]) -> str:
    """Return a sentence: how many requests the examples became, and how many of them fail on purpose."""
    announced = [each.announcement for each in exchanges if each.announcement]
    results = {each.concerns: each.data["result"] for each in announced if not _is_invalid(each.data)}
    failed = sum(result in {"failed", "unresolved"} for result in results.values())
    return f"{len(results)} of them became requests, and {failed} of those fail on purpose; the others are not stored"


def _is_invalid(outcome: Mapping[str, Any]) -> bool:
    """Whether the outcome is of a message that is not a request: it goes to the dead-letter queue."""
    return str(outcome.get("problem", {}).get("type", "")).endswith(":invalid-request")


def _types_in_close(close: ControlClient) -> Text:
    text = Text("  Types in Close now\n", "bold")
    for tenant, organization in organizations().items():
        types = sorted(close.types(organization["id"]), key=_created)
        text.append(f"    {tenant:<10}", "not bold")
        names = ", ".join(str(each["name"]) for each in types)
        text.append(names or "none", "not bold" if names else "dim not bold")
        text.append(f"   ({organization['name']})\n", "dim not bold")
    return text


def _created(each: Mapping[str, Any]) -> str:
    return str(each["date_created"])
