"""AWS Signature Version 4 for httpx requests."""

from collections.abc import Generator
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY

UNSIGNED = {"accept", "accept-encoding", "connection", "content-length", "user-agent"}
"""Headers that a proxy may change on the way."""


class SigV4(httpx.Auth):
    """Signs each request for one AWS service; by default as root of the local AWS, for API Gateway."""

    requires_request_body = True

    def __init__(self, service: str = "execute-api", credentials: Any = None, region: str = REGION) -> None:
        self._signer = SigV4Auth(credentials or Credentials(ACCESS_KEY, SECRET_KEY), service, region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Sign the request, and send it."""
        self.sign(request)
        yield request

    def sign(self, request: httpx.Request) -> None:
        """Add the headers of the signature to a request whose body was read."""
        headers = {name: value for name, value in request.headers.items() if name not in UNSIGNED}
        signed: Any = AWSRequest(request.method, str(request.url), data=request.content, headers=headers)
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
