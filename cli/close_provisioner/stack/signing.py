"""AWS Signature Version 4 for the requests to the stack's HTTP API."""

from collections.abc import Generator
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

SIGNED_HEADERS = {"content-type", "host", "idempotency-key"}
"""A proxy may change the others on the way."""


class SignedRequests(httpx.Auth):
    """Signs each request with the caller's credentials, which are refreshed when they expire."""

    requires_request_body = True

    def __init__(self, credentials: Any, region: str) -> None:
        self._signer = SigV4Auth(credentials, "execute-api", region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Sign the request, and send it."""
        headers = {name: value for name, value in request.headers.items() if name in SIGNED_HEADERS}
        signed: Any = AWSRequest(request.method, str(request.url), data=request.content, headers=headers)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
