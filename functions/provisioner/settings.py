"""The settings: the environment as one frozen object. A missing or invalid setting keeps the function from starting.

Each setting is the environment variable of the same name in upper case. A test compares them with template.yaml.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Seconds = Annotated[float, Field(ge=0)]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
MIN_LIST_LAG_SECONDS = 20
"""A shorter list lag would take a type for absent that Close does not show yet, and create it twice."""


class Settings(BaseModel):
    """The settings of all functions. Durations are in seconds."""

    model_config = ConfigDict(frozen=True)

    ledger_table_name: str
    provisioning_queue_url: str
    dead_letter_queue_url: str
    events_dead_letter_queue_url: str
    outcomes_topic_arn: str
    tenant_secret_prefix: str
    source_secret_prefix: str
    event_source: str
    """The ``source`` of every CloudEvent, a URI reference."""
    close_api_url: str
    """Ends in ``/api/v1/``. Plain HTTP is allowed only to this machine itself."""
    close_timeout_seconds: Annotated[float, Field(gt=0)]
    """The longest time of one call to Close."""
    list_lag_seconds: Seconds
    """The longest time until a new type appears in Close's list: at least 20, except for a Close on this machine."""
    observation_max_age_seconds: Seconds
    """How long a request may settle from what another one with the same desired state observed; 0: never."""
    lease_seconds: Annotated[float, Field(gt=0)]
    """The length of a lease: longer than any function runs."""
    fallback_delay_seconds: Annotated[int, Field(ge=0, le=900)]
    """The delay of the fallback message, while the HTTP API works on a request inline."""
    wait_limit_seconds: Seconds
    """The retry deadline of a request, after which it fails (rate limits, outages)."""
    tenant_wait_days: Annotated[float, Field(ge=0, le=14)]
    """How long a request with ``wait_for_tenant`` waits for its tenant's credential, in days."""
    max_receives: Annotated[int, Field(ge=1)]
    """The queue's maxReceiveCount. The last receive publishes ``unresolved``."""
    request_retention_days: Annotated[int, Field(ge=15)]
    """How long the ledger keeps requests: longer than a dead-letter queue keeps a message (14 days)."""

    @field_validator("close_api_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in LOOPBACK_HOSTS):
            raise ValueError("must be an https URL (plain http is allowed only to this machine)")
        return value if value.endswith("/") else f"{value}/"

    @model_validator(mode="after")
    def _outlasts_the_lag_of_close(self) -> Self:
        if self.list_lag_seconds < MIN_LIST_LAG_SECONDS and urlsplit(self.close_api_url).hostname not in LOOPBACK_HOSTS:
            raise ValueError(
                f"list_lag_seconds must be at least {MIN_LIST_LAG_SECONDS}, except for a Close on this machine"
            )
        return self

    @model_validator(mode="after")
    def _keeps_secrets_apart(self) -> Self:
        """A role that may read one prefix reads everything below it, too."""
        shorter, longer = sorted((f"{self.tenant_secret_prefix}/", f"{self.source_secret_prefix}/"), key=len)
        if longer.startswith(shorter):
            raise ValueError(
                "tenant_secret_prefix and source_secret_prefix must differ, and neither may contain the other"
            )
        return self

    @classmethod
    def from_env(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings. Raises ``pydantic.ValidationError``, which names every missing or invalid variable."""
        return cls.model_validate(
            {name: environment.get(name.upper()) for name in cls.model_fields if name.upper() in environment}
        )
