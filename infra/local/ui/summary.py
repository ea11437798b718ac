"""What a run of the examples came to: how many came out as they should, and what is in Close now."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from infra.local.examples.examples import Example, Exchange
from infra.local.examples.tenants import organizations
from infra.simulator import ControlClient


def summary(exchanges: Sequence[Exchange], not_sent: Sequence[Example], close: ControlClient) -> Text:
    """Several lines. ``not_sent``: what nobody had the time for."""
    bad = [exchange for exchange in exchanges if exchange.faults()]
    good = len(exchanges) - len(bad)
    text = Text("\n")
    text.append(f"  {good} of {len(exchanges)} examples came out as they should\n", "bold red" if bad else "bold green")
    for exchange in bad:
        text.append(f"    {exchange.example.name}: {'; '.join(exchange.faults())}\n", "red")
    for example in not_sent:
        text.append(f"  Not sent: {example.name}, since it takes the list's lag. See it:\n", "dim")
        text.append("    make run LIST_LAG_SECONDS=2\n")
    return text.append_text(_in_close(close))


def _in_close(close: ControlClient) -> Text:
    text = Text("\n  In Close there are now\n")
    for tenant, organization in organizations().items():
        types = sorted(close.types(organization["id"]), key=_age)
        text.append(f"    {tenant:<10}", "bold")
        text.append(", ".join(str(each["name"]) for each in types) or "nothing", "" if types else "dim")
        text.append(f"   ({organization['name']})\n", "dim")
    return text


def _age(each: Mapping[str, Any]) -> str:
    return str(each["date_created"])
