"""The environment as one frozen object: complete and sound, or the function refuses to start.

Each setting is the environment variable of the same name in upper case; template.yaml sets every one of them,
and a test holds the two against each other.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(ge=0)]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseModel):
    """What the functions need to know of the place they run in. Durations are in seconds."""

    model_config = ConfigDict(frozen=True)

    ledger_table_name: str
    provisioning_queue_url: str
    dead_letter_queue_url: str
    outcomes_topic_arn: str
    tenant_secret_prefix: str
    source_secret_prefix: str
    event_source: str
    """The ``source`` of every CloudEvent, a URI reference."""
    close_api_url: str
    """Ends in ``/api/v1/``. Plain HTTP is refused except to this machine itself."""
    close_timeout_seconds: Annotated[float, Field(gt=0)]
    """The most that one call to Close may take."""
    list_lag_seconds: Seconds
    """How long Close's list may go on not showing a type that was created."""
    lease_seconds: Annotated[float, Field(gt=0)]
    """How long the right to work on one type lasts: longer than any function runs."""
    safety_net_delay_seconds: Annotated[int, Field(ge=0, le=900)]
    """How long the queue holds back a request that is being worked on while its caller waits."""
    wait_limit_seconds: Seconds
    """How long a request may wait in all (rate limits, outages) before it is given up."""
    tenant_wait_days: Annotated[float, Field(ge=0, le=14)]
    """How long a request that may wait for its tenant does, in days."""
    max_receives: Annotated[int, Field(ge=1)]
    """The queue's maxReceiveCount: the receive that is announced as the last one."""
    request_retention_days: Annotated[int, Field(ge=15)]
    """How long requests are remembered: longer than a dead-letter queue keeps a message (14 days)."""

    @field_validator("close_api_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK_HOSTS):
            raise ValueError("must be an https URL (plain http is for this machine only)")
        return value if value.endswith("/") else f"{value}/"

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Raises ``pydantic.ValidationError`` naming every variable that is missing or wrong."""
        return cls.model_validate(
            {name: environment.get(name.upper()) for name in cls.model_fields if name.upper() in environment}
        )
