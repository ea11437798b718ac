"""Put the parts together: once for each execution environment, at its first invocation, never at import."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from provisioner.aws import MAX_CONCURRENT_TENANTS, make_clients
from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.transport import Connection
from provisioner.credentials.tenants import Tenants
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.store import Ledger
from provisioner.messaging.outbox import Outbox
from provisioner.messaging.queue import Queue
from provisioner.messaging.topic import Topic
from provisioner.reconcile.patience import PAUSES_SECONDS
from provisioner.reconcile.provisioner import Provisioner
from provisioner.settings import Settings
from provisioner.tls import shared_context


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of the service, made from its settings. Safe to share between threads."""

    settings: Settings
    ledger: Ledger
    queue: Queue
    topic: Topic
    tenants: Tenants
    provisioner: Provisioner
    http: httpx.Client

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "Service":
        client = make_clients()
        ledger, topic = (
            Ledger.from_settings(settings, client("dynamodb"), clock),
            Topic.from_settings(settings, client("sns")),
        )
        return cls(
            settings=settings,
            ledger=ledger,
            queue=Queue.from_settings(settings, client("sqs")),
            topic=topic,
            tenants=Tenants.of(client("secretsmanager"), settings.tenant_secret_prefix, time.monotonic),
            provisioner=Provisioner(
                ledger,
                topic,
                settings.list_lag_seconds,
                settings.wait_limit_seconds,
                clock,
                settings.tenant_wait_days * 86_400,
                settings.observation_max_age_seconds,
                PAUSES_SECONDS if settings.observation_max_age_seconds else (),
            ),
            http=_http(settings.close_api_url),
        )

    @property
    def outbox(self) -> Outbox[RequestRecord]:
        return Outbox(self.ledger, self.queue)

    def organization(self, tenant: str, time_left: Callable[[], float]) -> Organization:
        """Return the tenant's organization, for one batch. ``time_left`` returns the function's remaining seconds."""
        connection = Connection(
            http=self.http,
            base_url=self.settings.close_api_url,
            credentials=lambda rejected: self.tenants.credential(tenant, rejected),
            timeout=self.settings.close_timeout_seconds,
            time_left=time_left,
            clock=self.provisioner.clock,
        )
        return Organization(CloseApi(connection))


def _http(base_url: str) -> httpx.Client:
    return httpx.Client(
        verify=shared_context() if base_url.startswith("https:") else False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # no tenant may use another's session
        limits=httpx.Limits(max_connections=2 * MAX_CONCURRENT_TENANTS, keepalive_expiry=5),
    )
