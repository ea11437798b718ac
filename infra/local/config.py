"""What a run is asked for: the environment as one frozen object. A variable that is empty counts as not set."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from infra.local.errors import CannotRun

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 4566


@dataclass(frozen=True, slots=True)
class Options:
    """``port`` 0 takes a free one. The numbers of seconds: None leaves the template's default."""

    port: int = DEFAULT_PORT
    close_api_url: str | None = None
    examples: bool = True
    once: bool = False
    list_lag_seconds: float | None = None
    close_timeout_seconds: float | None = None
    state: Path = PROJECT / ".local"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises ``CannotRun`` that names the variable and what it may be."""
        close_api_url = _close_api_url(environment.get("CLOSE_API_URL", "").strip())
        port = _number(environment, "PORT")
        if port is not None and not (port.is_integer() and 0 <= port <= 65535):
            raise CannotRun("PORT must be a whole number up to 65535 (0: any free port)")
        return cls(
            port=DEFAULT_PORT if port is None else int(port),
            close_api_url=close_api_url,
            examples=_switch(environment, "EXAMPLES", default=True),
            once=_switch(environment, "ONCE", default=False),
            list_lag_seconds=_number(environment, "LIST_LAG_SECONDS"),
            close_timeout_seconds=_number(environment, "CLOSE_TIMEOUT_SECONDS"),
        )


def _close_api_url(text: str) -> str | None:
    """With /api/v1/ behind it, where only the server was named. What the functions would refuse is refused here."""
    if not text:
        return None
    url = urlsplit(text)
    path = url.path.strip("/")
    if url.scheme not in {"http", "https"} or not url.hostname or path not in {"", "api/v1"}:
        raise CannotRun("CLOSE_API_URL must look like http://127.0.0.1:8080/api/v1/")
    if url.scheme == "http" and url.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise CannotRun("CLOSE_API_URL must be https, unless it is on this machine")
    return text if path else f"{text.rstrip('/')}/api/v1/"


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(name, "").strip().lower()
    if value in {"", "0", "no", "false", "off"}:
        return default if not value else False
    if value in {"1", "yes", "true", "on"}:
        return True
    raise CannotRun(f"{name} must be 1 or 0")


def _number(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "").strip()
    try:
        number = float(text) if text else None
    except ValueError:
        number = -1.0
    if number is not None and not 0 <= number < 1e6:
        raise CannotRun(f"{name} must be a number, 0 or more")
    return number
