"""The picture of README.md: the terminal output of some examples as an SVG file.

It is the same after every run: random ids are shortened, times are left out, and each outcome is below its request.
Tests compare it with the examples.
"""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from infra.local.errors import StartupError
from infra.local.examples.examples import Exchange
from infra.local.ui.screen import Screen
from infra.local.ui.summary import score
from infra.local.ui.table import Table

COMMAND = "make run LIST_LAG_SECONDS=2"
SHOWN = (
    "01-created",
    "02-replayed",
    "03-same-key-other-content",
    "05-created-over-the-queue",
    "06-adopted",
    "11-revoked-key",
    "14-lost-response",
    "17-plan",
    "18-updated",
    "20-webhook",
    "21-webhook-tampered",
)
"""The examples in the picture: one for each kind of result, so that README.md stays short."""

COLUMNS = 112
SHORTENED = (
    (re.compile(r"\b(cotype|cf|evt|msg)_\w+"), r"\1_…"),
    (re.compile(r"\bdigest \w+"), "digest …"),
)
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: Arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own format loads a font from another host. This one uses the fonts of the reader."""


def picture(exchanges: Sequence[Exchange]) -> str:
    """Return the SVG. Raises ``StartupError`` if an example of the picture was not sent."""
    sent = {exchange.example.name: exchange for exchange in exchanges}
    if missing := [name for name in SHOWN if name not in sent]:
        raise StartupError(f"RECORD needs the examples {', '.join(missing)}. Set LIST_LAG_SECONDS=2 and EXAMPLES=1.")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    screen = Screen(console, clock=False)
    screen.paragraphs(Text.assemble(("$ ", "dim"), (COMMAND, "bold"), "\n"))
    table = Table(screen)
    table.head()
    for exchange in (_shortened(sent[name]) for name in SHOWN):
        table.requested(exchange)
        if exchange.announcement:
            table.announced(exchange.announcement, exchange)
    screen.paragraphs(Text("\n").append_text(score(exchanges)))
    svg = console.export_svg(title="Close Provisioner on this machine", code_format=FORMAT, unique_id="make-run")
    return "".join(f"{line.strip()}\n" for line in svg.splitlines() if line.strip())


def _shortened(exchange: Exchange) -> Exchange:
    """Return a copy without the ids that only this run has."""
    announcement = exchange.announcement
    if announcement:
        announcement = replace(announcement, event=json.loads(_short(json.dumps(announcement.event))))
    shown_id = _short(exchange.request_id) if exchange.example.request_id is None else exchange.request_id
    return replace(exchange, request_id=shown_id, plan=_short(exchange.plan or ""), announcement=announcement)


def _short(text: str) -> str:
    for pattern, replacement in SHORTENED:
        text = pattern.sub(replacement, text)
    return text
