"""The control API for Python: one method per call."""

import json
import time
from abc import ABC, abstractmethod
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

type Body = dict[str, Any]


class ControlError(Exception):
    """The simulator rejected a control call."""


class Controls(ABC):
    """The control calls, one method each."""

    @abstractmethod
    def call(self, method: str, path: str, body: Body | None = None) -> Body:
        """Make one control call: ``path`` is below ``/_control/``. Raises ``ControlError`` if it is rejected."""

    def add_organization(self, **settings: Any) -> Body:
        """Add an organization, and return it with its ``keys``; without any, the simulator makes one up.

        Optional: ``id``, ``name``, ``keys``, ``types``, ``options``, ``has_custom_objects``, ``may_customize``,
        ``max_types``, ``max_fields``, ``rate_limit``, ``roles``, ``role_id``, ``permissions_granted``, ``member_of``.
        """
        return self.call("POST", "organizations/", settings)

    def change_organization(self, organization: str, **settings: Any) -> Body:
        return self.call("PATCH", f"organizations/{organization}/", settings)

    def remove_organization(self, organization: str) -> Body:
        """Remove the organization with its objects and credentials."""
        return self.call("DELETE", f"organizations/{organization}/")

    def clear_organization(self, organization: str) -> Body:
        """Remove the organization's objects. Its keys and settings stay."""
        return self.call("POST", f"organizations/{organization}/clear/")

    def add_key(self, organization: str, key: str | None = None, rate_limit: Body | None = None) -> str:
        body = {"key": key, "rate_limit": rate_limit}
        return str(self.call("POST", f"organizations/{organization}/keys/", body)["key"])

    def revoke(self, key: str, *, revoked: bool = True) -> Body:
        """Revoke a key or an access token, or make it valid again."""
        return self.call("POST", "revoke/", {"key": key, "revoked": revoked})

    def add_oauth_client(self) -> Body:
        return self.call("POST", "oauth_clients/", {})

    def add_code(self, organization: str) -> str:
        return str(self.call("POST", f"organizations/{organization}/codes/")["code"])

    def add_tokens(self, organization: str, client_id: str = "") -> Body:
        return self.call("POST", f"organizations/{organization}/tokens/", {"client_id": client_id})

    def add_type(self, organization: str, name: str, **data: Any) -> Body:
        """Store a type, as if a person had made it in Close: without a key, a fault or a check.

        ``data``: further keys of the type, ``fields`` to store with it, and ``list_lag_seconds``.
        """
        return self.call("POST", f"organizations/{organization}/types/", {"name": name, **data})

    def add_field(self, organization: str, type_id: str | None, name: str, type: str = "text", **data: Any) -> Body:  # noqa: A002 - Close's name
        """Store a field of a type or, without a type, a shared field. ``data``: as of ``add_type``."""
        body = {"name": name, "type": type, **data}
        if type_id is not None:
            body["custom_object_type_id"] = type_id
        return self.call("POST", f"organizations/{organization}/fields/", body)

    def add_association(self, organization: str, field_id: str, type_id: str, **data: Any) -> Body:
        """Associate a shared field with a type. ``data``: further keys of the association, ``list_lag_seconds``."""
        body = {"field": field_id, "object_type": "custom_object_type", "custom_object_type_id": type_id, **data}
        return self.call("POST", f"organizations/{organization}/associations/", body)

    def set_options(self, **changes: Any) -> Body:
        return self.call("PATCH", "options/", changes)

    def arm(
        self, name: str, *, times: int | None = 1, skip: int = 0, aim: Body | None = None, **parameters: Any
    ) -> Body:
        """Arm a fault. ``aim``: ``method``, ``path``, ``organization``, ``type_name``. ``times`` None: always."""
        body = {"name": name, "times": times, "skip": skip, "parameters": parameters, **(aim or {})}
        return self.call("POST", "faults/", body)

    def chaos(self, seed: int | str, probability: float, mix: Body | list[str], **further: Any) -> Body:
        """Start chaos. ``further``: the aim, ``parameters`` by fault, ``times``, ``times_each``."""
        return self.call("PUT", "chaos/", {"seed": seed, "probability": probability, "mix": mix, **further})

    def disarm(self, organization: str | None = None) -> Body:
        return self.call("DELETE", f"faults/{_query(organization=organization)}")

    def faults(self, organization: str | None = None) -> Body:
        return self.call("GET", f"faults/{_query(organization=organization)}")

    def fired(self, organization: str | None = None) -> dict[str, int]:
        """Return how often each fault struck."""
        counts: dict[str, int] = self.faults(organization)["fired"]
        return counts

    def requests(
        self, organization: str | None = None, method: str | None = None, path: str | None = None
    ) -> list[Body]:
        query = _query(organization=organization, method=method, path=path)
        log: list[Body] = self.call("GET", f"requests/{query}")["data"]
        return log

    def state(self, organization: str) -> Body:
        """Return ``types`` (unlisted ones too), ``fields``, ``shared_fields``, ``duplicates`` and ``creates``."""
        response = self.call("GET", f"state/{_query(organization=organization)}")
        found: Body = response["organizations"][organization]
        return found

    def types(self, organization: str) -> list[Body]:
        found: list[Body] = self.state(organization)["types"]
        return found

    def duplicates(self, organization: str) -> dict[str, int]:
        found: dict[str, int] = self.state(organization)["duplicates"]
        return found

    def reset(self, *only: str) -> Body:
        """Restore the setup, or only some of its parts: faults, requests, options, types."""
        return self.call("POST", "reset/", {"only": list(only)} if only else {})


class ControlClient(Controls):
    """A client of the simulated Close at ``url`` (``http://127.0.0.1:<port>``) in any process."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.api_url = f"{self.url}/api/v1/"

    def call(self, method: str, path: str, body: Body | None = None) -> Body:
        where = urlsplit(self.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=30)
        try:
            connection.request(method, f"/_control/{path}", json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            content: Body = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(content["error"])
        return content

    def wait_until_quiet(self, seconds: float = 30) -> None:
        """Wait until no late create is pending. Raises ``TimeoutError``."""
        deadline = time.monotonic() + seconds
        while self.faults()["pending"]:
            if time.monotonic() > deadline:
                raise TimeoutError("Late creates are still pending.")
            time.sleep(0.02)


def _query(**parameters: str | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
