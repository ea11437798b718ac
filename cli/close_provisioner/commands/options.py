"""Options and arguments that several commands share."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from close_provisioner.client.requests import request_key
from close_provisioner.errors import Misused
from close_provisioner.invocation import Invocation

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the audit; a ticket, for example.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="24h|TIME", help="From when on: 90s, 15m, 24h, 7d, or a time.")
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="The most rows.")]
RequestArgument = Annotated[
    str, typer.Argument(metavar="REQUEST", help="TENANT/REQUEST-ID, or the id of 32 hex digits.")
]

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
KEY = re.compile(r"[0-9a-f]{32}")
NAME = re.compile(r"[A-Za-z0-9._:-]{1,128}/[A-Za-z0-9._:-]{1,128}")


def checked_name(name: str) -> str:
    """Return the name of a tenant or source as a part of a secret's name. Raises ``Misused``."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name):
        raise Misused(f"{name!r} cannot have a secret: a name is 1 to 128 letters, digits and . _ -")
    return name


def moment(invocation: Invocation, since: str | None, option: str = "--since") -> str | None:
    """Return a time as RFC 3339, from a duration (``24h``) or a time (local, unless it has an offset)."""
    if since is None:
        return None
    found = re.fullmatch(r"(\d{1,6})([smhdw])", since)
    try:
        if found:
            return _rfc3339(invocation.host.now() - int(found[1]) * SECONDS[found[2]])
        return _rfc3339(datetime.fromisoformat(since).astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        raise Misused(f"{option} is {since!r}: it must be a duration (90s, 15m, 24h, 7d) or a time.") from None


def key_of(request: str) -> str:
    """Return the id of a request that is named as ``TENANT/REQUEST-ID`` or by its id."""
    if KEY.fullmatch(request):
        return request
    if NAME.fullmatch(request):
        return request_key(*request.split("/"))
    raise Misused(f"{request!r} is not a request: write TENANT/REQUEST-ID, or its id of 32 hex digits.")


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
