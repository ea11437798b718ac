"""The service with its dependencies in memory: Close behind an httpx transport, tenants, and a queue."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from infra.simulator.embedded import InProcessClose
from provisioner.close.models import Credential
from provisioner.contract import blueprints
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.service import Service
from provisioner.settings import Settings
from tests.close import KEY, OTHER_KEY, credential_of
from tests.fakes import MemoryWorld

SETTINGS = Settings(
    ledger_table_name="ledger",
    provisioning_queue_url="https://queue",
    dead_letter_queue_url="https://dead",
    events_dead_letter_queue_url="https://dead-events",
    outcomes_topic_arn="arn:aws:sns:eu-central-1:111122223333:outcomes",
    tenant_secret_prefix="prefix",
    source_secret_prefix="source-prefix",
    event_source="urn:close-provisioner:test",
    close_api_url=InProcessClose.api_url,
    close_timeout_seconds=20,
    list_lag_seconds=60,
    observation_max_age_seconds=60,
    lease_seconds=90,
    fallback_delay_seconds=30,
    wait_limit_seconds=20_000,
    tenant_wait_days=3,
    max_receives=5,
    request_retention_days=90,
)


@dataclass
class MemoryTenants:
    """Tenants by name. All of them but globex share one organization and its key."""

    known: set[str] = field(default_factory=lambda: {"acme", "globex", "default"})
    fails: Exception | None = None

    def credential(self, tenant: str, rejected: Credential | None = None) -> Credential:
        if self.fails:
            raise self.fails
        if tenant not in self.known:
            raise Rejected(ProblemType.TENANT_NOT_FOUND, f"Tenant {tenant!r} has no credential.")
        return credential_of(OTHER_KEY if tenant == "globex" else KEY)


@dataclass
class MemoryQueue:
    """A queue that keeps waiting messages as (body, tenant, delay), dead-letter messages as (body, reason, message id),
    and messages that stay hidden as (handle, receives, least seconds).
    """

    waiting: list[tuple[dict[str, Any], str, float]] = field(default_factory=list)
    dead: list[tuple[str, str, str]] = field(default_factory=list)
    hidden: list[tuple[str, int, float]] = field(default_factory=list)
    deferrals: list[int] = field(default_factory=list)
    fails: Exception | None = None

    def send(self, body: str, tenant: str, deferrals: int, delay_seconds: float = 0) -> None:
        self._may_fail()
        self.deferrals.append(deferrals)
        self.waiting.append((json.loads(body), tenant, delay_seconds))

    def dead_letter(self, body: str, reason: str, message_id: str) -> None:
        self._may_fail()
        self.dead.append((body, reason, message_id))

    def back_off(self, receipt_handle: str, receives: int, at_least: float = 0) -> None:
        self._may_fail()
        self.hidden.append((receipt_handle, receives, at_least))

    def _may_fail(self) -> None:
        if self.fails:
            raise self.fails


class HandlerWorld(MemoryWorld):
    """The dependencies of the handlers: ``service`` holds every part."""

    def __init__(self, **settings: Any) -> None:
        self.settings = SETTINGS.model_copy(update=settings)
        super().__init__(self.settings.list_lag_seconds, self.settings.wait_limit_seconds)
        self.tenants = MemoryTenants()
        self.queue = MemoryQueue()
        self.seen = self.close.requests
        parts: dict[str, Any] = {"ledger": self.ledger, "queue": self.queue, "topic": self.topic}
        self.service = Service(
            settings=self.settings,
            tenants=cast("Any", self.tenants),
            provisioner=self.provisioner,
            http=self.close.http,
            **parts,
        )


def blueprint_that_requires(value: str) -> Callable[[str], blueprints.Blueprint]:
    """In place of ``blueprints.load``: every blueprint was changed to have one type, and one value, of that name."""
    declared = {value: blueprints.DeclaredValue(description="new")}
    types = [{"name": f"${{{value}}}", "name_plural": "Renamed"}]
    return lambda _: blueprints.Blueprint(description="changed", values=declared, custom_object_types=types)
