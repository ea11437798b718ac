"""The options of ``make run``: environment variables as one frozen object."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from infra.local.errors import StartupError

PROJECT = Path(__file__).resolve().parents[2]
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MIN_LIST_LAG_SECONDS = 20  # as the functions require it

Seconds = Annotated[float, Field(ge=0, lt=1e6)]


class Options(BaseModel):
    """Options of a run. Each is the environment variable of the same name in upper case.

    Each description completes "must be", in errors and in ``--help``.
    """

    model_config = ConfigDict(frozen=True)

    port: int = Field(4566, ge=0, le=65535, description="a port number of this machine, 0 to 65535 (0: any free port)")
    """The port of the local AWS, which serves the HTTP API too."""
    close_api_url: str | None = Field(
        None, description="a URL like http://127.0.0.1:8080/api/v1/ (https, unless it is on this machine)"
    )
    """The Close API to call; None starts the simulated Close. Ends in ``/api/v1/``."""
    examples: bool = Field(True, description="1 or 0 (0: send no examples)")
    once: bool = Field(False, description="1 or 0 (1: stop after the examples; exit code 1 if one went wrong)")
    console: bool = Field(True, description="1 or 0 (0: without the console, the page in a browser)")
    list_lag_seconds: Seconds | None = Field(
        None, description="a number of seconds, 0 or more; 20 or more for a Close elsewhere (template: 60)"
    )
    """How long a new type may be missing from Close's list; None keeps the template's default."""
    close_timeout_seconds: Seconds | None = Field(None, description="a number of seconds, 0 or more (template: 20)")
    """How long one call to Close may take; None keeps the template's default."""
    record: Path | None = Field(None, description="a path, such as docs/images/make-run.svg")
    """A file for a picture of the examples' output; None writes none."""
    state: Path = PROJECT / ".local"
    """The folder for logs and stack.json. Not an environment variable."""

    @field_validator("close_api_url")
    @classmethod
    def _with_path(cls, value: str | None) -> str | None:
        """Append ``/api/v1/`` to a bare server. Reject what the functions would reject."""
        if value is None:
            return None
        url = urlsplit(value)
        path = url.path.strip("/")
        if url.scheme not in {"http", "https"} or not url.hostname or path not in {"", "api/v1"}:
            raise ValueError("not the URL of a Close API")
        if url.scheme == "http" and url.hostname not in LOOPBACK_HOSTS:
            raise ValueError("not https")
        return value if path else f"{value.rstrip('/')}/api/v1/"

    @field_validator("list_lag_seconds")
    @classmethod
    def _outlasts_the_lag_of_close(cls, value: float | None, info: ValidationInfo) -> float | None:
        """Reject what the functions would reject: a real Close may show a new type only later."""
        host = urlsplit(info.data.get("close_api_url") or "//localhost").hostname
        if value is not None and value < MIN_LIST_LAG_SECONDS and host not in LOOPBACK_HOSTS:
            raise ValueError("too short")
        return value

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Return the names of the environment variables, each with the values that it may have."""
        return {name.upper(): str(field.description) for name, field in cls.model_fields.items() if field.description}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the options of these variables. An empty variable counts as not set.

        Raises:
            StartupError: a value is not valid; the message names the variable and the values that it may have.
        """
        allowed = cls.variables()
        given = {name.lower(): value for name in allowed if (value := environment.get(name, "").strip())}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
            faults = (f"{name.upper()} is {given[name]!r}: it must be {allowed[name.upper()]}." for name in names)
            raise StartupError("\n".join(faults)) from None
