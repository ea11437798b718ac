"""A tenant's end of the connection to Close, and Close's responses."""

import base64
from dataclasses import dataclass, field

import httpx

from provisioner.close.client import CloseApi
from provisioner.close.list_cache import Organization
from provisioner.close.models import Credential
from provisioner.close.transport import Connection
from tests.fakes import Clock, a_request
from tests.integration.service.wire import answer

SPEC = a_request(spec={"description": "Wer zahlt: Größe"}).types[0].desired()
TYPE = {"id": "cotype_1", "name": "Account", "name_plural": "Accounts", "organization_id": "orga_acme"}
LIST = answer({"data": [TYPE]})
NO_TYPES = answer({"data": []})
CREATED = answer(TYPE, "201 Created", "Location: /api/v1/custom_object_type/cotype_1/")
UNAUTHORIZED = answer({"error": "Unauthorized"}, "401 Unauthorized")


def key(text: str, organization_id: str | None = None) -> Credential:
    return Credential(f"Basic {base64.b64encode(f'{text}:'.encode()).decode()}", text, organization_id)


@dataclass
class CloseTenant:
    """A tenant: its keys, the newest last, and the time that its function has left."""

    http: httpx.Client
    base_url: str
    keys: list[Credential] = field(default_factory=lambda: [key("api_acme.secret")])
    clock: Clock = field(default_factory=Clock)
    time_left: float = 60

    def credential(self, rejected: Credential | None) -> Credential:
        return self.keys[0] if rejected is None else self.keys[-1]

    def organization(self, timeout: float = 20) -> Organization:
        return Organization(CloseApi(self.connection(timeout)))

    def connection(self, timeout: float = 20) -> Connection:
        return Connection(
            http=self.http,
            base_url=self.base_url,
            credentials=self.credential,
            timeout=timeout,
            time_left=lambda: self.time_left,
            clock=self.clock,
        )
