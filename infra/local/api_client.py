"""Calls to the HTTP door as a caller on AWS makes them: JSON over HTTP, signed with Signature Version 4."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY

PATH = "/v1/provisioning-requests"
PLANS = "/v1/plans"
TIMEOUT_SECONDS = 40  # API Gateway itself answers within 29
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP needs none, and loading them takes 30 ms a call


@dataclass(frozen=True, slots=True)
class HttpDoor:
    """The request routes below ``api_url``. ``signed`` False leaves the signature out."""

    api_url: str

    def submit(self, body: object, headers: Mapping[str, str] | None = None, *, signed: bool = True) -> httpx.Response:
        """``body``: bytes are sent as they are, all else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.call("POST", PATH, content, headers, signed=signed)

    def deliver(self, source: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """A webhook, with the headers that its sender signed it with."""
        return self.call("POST", f"/v1/webhooks/{source}", body, headers, signed=False)

    def read(self, request_key: str, *, signed: bool = True) -> httpx.Response:
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
        url = f"{self.api_url}{path}"
        given = {**({"Content-Type": "application/json"} if content else {}), **(headers or {})}
        sent = sign(method, url, content, given) if signed else given
        return httpx.request(
            method,
            url,
            content=content,
            headers=sent,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            verify=_NO_CERTIFICATES,
        )


def sign(method: str, url: str, content: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with those that Signature Version 4 adds, for API Gateway."""
    request: Any = AWSRequest(method=method, url=url, data=content, headers=dict(headers))
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "execute-api", REGION).add_auth(request)
    return dict(request.headers.items())
