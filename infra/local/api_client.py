"""A client of the HTTP API as callers on AWS use it: JSON over HTTP, signed with Signature Version 4."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from infra.local.sigv4 import SigV4

PATH = "/v1/provisioning-requests"
PLANS = "/v1/plans"
TIMEOUT_SECONDS = 40  # API Gateway itself responds within 29
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP needs none, and loading them takes 30 ms a call


@dataclass(frozen=True, slots=True)
class ApiClient:
    """The routes below ``api_url``. Requests with ``signed=False`` carry no signature."""

    api_url: str
    auth: SigV4 = field(default_factory=SigV4)

    def submit(self, body: object, headers: Mapping[str, str] | None = None, *, signed: bool = True) -> httpx.Response:
        """Send a provisioning request. A ``body`` of bytes is sent unchanged, any other as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", PATH, content, headers, signed=signed)

    def deliver(self, source: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send a webhook, with the headers of its sender's signature."""
        return self.call("POST", f"/v1/webhooks/{source}", body, headers, signed=False)

    def read(self, request_key: str, *, signed: bool = True) -> httpx.Response:
        """Read the state of a request."""
        return self.call("GET", f"{PATH}/{request_key}", signed=signed)

    def call(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        signed: bool = True,
    ) -> httpx.Response:
        """Send any request. Raises ``httpx.HTTPError`` without a response."""
        is_local = self.api_url.startswith("http://")
        return httpx.request(
            method,
            f"{self.api_url}{path}",
            content=content,
            headers={**({"Content-Type": "application/json"} if content else {}), **(headers or {})},
            auth=self.auth if signed else None,
            timeout=TIMEOUT_SECONDS,
            trust_env=not is_local,
            verify=_NO_CERTIFICATES if is_local else True,
        )
