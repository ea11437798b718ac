"""Send requests to Close for one tenant, within the remaining time and Close's rate limits.

A read may be repeated. A write is sent once. responses.py interprets the responses.

httpx has no total timeout: its read timeout bounds each read from the socket, so a server that sends a byte at a time
holds a request for as long as it likes (encode/httpx#1450, pydantic/httpx2#557, encode/httpcore#936). This module
therefore shortens the read timeout by a trace hook, and checks the deadline between the chunks of a body.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import httpx

from provisioner import __version__
from provisioner.close.models import Credential
from provisioner.close.responses import CloseResponse, exhausted_seconds, failure
from provisioner.contract.errors import OutcomeUnknown, RetryLater, Unavailable

USER_AGENT = f"close-provisioner/{__version__}"
TYPES = "custom_object_type/"
CONNECT_SECONDS = 5
SETTLE_SECONDS = 5  # the time to store and publish the outcome after the last response
MIN_WRITE_SECONDS = 10  # a write is not sent with less time left to receive its response
OUTAGE_SECONDS = 5
READS_BEGIN = {"http11.receive_response_headers.started", "http11.receive_response_body.started"}
MAX_RESPONSE_BYTES = 50_000_000
"""Close sends its lists whole: 1,000 types of 50 fields are 31 MB, and take a quarter of a gigabyte of memory."""


class ResponseTooLarge(httpx.RequestError):
    """The response is larger than MAX_RESPONSE_BYTES. Like any lost response, it says nothing of a write."""


type Credentials = Callable[[Credential | None], Credential]
"""Returns the tenant's credential, read again if it is the one that Close rejected."""


@dataclass(slots=True)
class Connection:
    """One tenant's connection to Close, for one batch.

    ``timeout`` and ``time_left`` are in seconds, ``clock`` returns Unix seconds. Not to be shared between threads; the
    ``http`` client may be.
    """

    http: httpx.Client
    base_url: str
    credentials: Credentials
    timeout: float
    time_left: Callable[[], float]
    clock: Callable[[], float]
    credential_generation: int = 0  # counts renewals of the credential; reads of an earlier generation are invalid
    calls: list[tuple[str, str, int | None, int, str | None]] = field(default_factory=list)
    """Each call since the last ``begin_calls``: method, path, status, milliseconds, and the error without a status."""
    _credential: Credential | None = None
    _exhausted_until: dict[str, float] = field(default_factory=dict)  # by group of requests (Unix seconds)
    _paused_until: float = 0
    _pause_reason: str = "Close asked this service to pause for this tenant (429)"

    def begin_calls(self) -> list[tuple[str, str, int | None, int, str | None]]:
        """Begin a new list of calls, and return it. It grows with each call."""
        self.calls = []
        return self.calls

    def prepare(self) -> None:
        """Load the credential.

        Raises ``Rejected`` when the tenant has none, ``Unavailable`` when it cannot be read, ``RetryLater`` while Close
        must not be called for this tenant.
        """
        self._check_rate_limit("")
        if self._credential is None:
            self._credential = self.credentials(None)

    def renew(self) -> bool:
        """Load the credential again. Return whether it is another one."""
        previous = self._credential
        self._credential = self.credentials(previous)
        if self._credential == previous:
            return False
        self.credential_generation += 1
        return True

    @property
    def pinned_organization(self) -> str | None:
        """The id of the organization that the tenant's secret names, if it names one."""
        return self._credential.organization_id if self._credential else None

    def get(self, path: str, *, may_be_missing: bool = False) -> CloseResponse:
        """Return a successful response, or a 404 if the resource ``may_be_missing``."""
        return self._send("GET", path, may_be_missing=may_be_missing)

    def write(self, method: str, path: str, body: Mapping[str, object]) -> CloseResponse:
        """Send a write, once. Raises ``OutcomeUnknown`` when its response is lost."""
        return self._send(method, path, json.dumps(body).encode())

    def _check_rate_limit(self, group: str) -> None:
        now = self.clock()
        if now < self._paused_until:
            raise RetryLater(self._pause_reason, self._paused_until - now)
        if now < self._exhausted_until.get(group, 0):
            raise RetryLater("Close's rate limit is exhausted", self._exhausted_until[group] - now)

    def _send(
        self, method: str, path: str, content: bytes | None = None, *, may_be_missing: bool = False
    ) -> CloseResponse:
        """Return a successful response, or a 404 if the resource ``may_be_missing``.

        A read is repeated once when the connection breaks, and the list of types when the credential was replaced.
        """
        if self._credential is None:
            self.prepare()
        credential = cast("Credential", self._credential)
        response = self._exchange(method, path, content, credential)
        if isinstance(response, httpx.NetworkError | httpx.RemoteProtocolError) and method == "GET":
            response = self._exchange(method, path, content, credential)  # a pooled connection may have died unnoticed
        if isinstance(response, CloseResponse) and response.status == 401:
            response = self._after_rejection(method, path, credential, response)
        if may_be_missing and isinstance(response, CloseResponse) and response.status == 404:
            return response
        error = failure(method, response, cast("Credential", self._credential).secret, is_collection=path == TYPES)
        if isinstance(error, RetryLater):
            self._paused_until = self.clock() + error.seconds
        elif isinstance(error, Unavailable | OutcomeUnknown):
            # In an outage, the rest of the batch fails at once instead of waiting for its own timeouts.
            self._paused_until, self._pause_reason = self.clock() + OUTAGE_SECONDS, str(error)
        if error:
            raise error
        assert isinstance(response, CloseResponse)  # noqa: S101 - ``failure`` reports any other value
        if content is not None and (seconds := exhausted_seconds(response)):
            self._exhausted_until[_group(method, path)] = self.clock() + seconds
        return response

    def _after_rejection(
        self, method: str, path: str, rejected: Credential, response: CloseResponse
    ) -> CloseResponse | httpx.RequestError:
        """Handle a 401: the key may have been rotated. Load the credential again, and use it if it is a new one."""
        renewed = self.credentials(rejected)
        if renewed == rejected:
            return response
        self._credential, self.credential_generation = renewed, self.credential_generation + 1
        if (method, path) != ("GET", TYPES):  # earlier reads and checks used the old credential: start again
            raise RetryLater("the tenant's credential was renewed", 0)
        return self._exchange(method, path, None, renewed)

    def _exchange(
        self, method: str, path: str, content: bytes | None, credential: Credential
    ) -> CloseResponse | httpx.RequestError:
        """Send one request and read its response within the remaining time.

        Only headers that arrive byte by byte can exceed it: the client bounds each read of them, not their sum.
        """
        self._check_rate_limit(_group(method, path))
        left = self.time_left() - SETTLE_SECONDS
        if left < (1 if content is None else min(MIN_WRITE_SECONDS, self.timeout)):
            raise RetryLater("too little time is left in this run", 0)
        seconds = min(self.timeout, left)
        deadline = time.monotonic() + seconds
        request = self.http.build_request(
            method,
            self.base_url + path,
            content=content,
            headers=_headers(credential, content),
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
            extensions={"trace": partial(_bound_reads, deadline)},
        )
        response = self._response(request, deadline)
        status, error = (
            (response.status, None) if isinstance(response, CloseResponse) else (None, type(response).__name__)
        )
        self.calls.append((method, path, status, round((time.monotonic() - deadline + seconds) * 1000), error))
        return response

    def _response(self, request: httpx.Request, deadline: float) -> CloseResponse | httpx.RequestError:
        try:
            response = self.http.send(request, stream=True)
            try:
                return CloseResponse(response.status_code, response.headers, _body(response, deadline))
            finally:
                response.close()
        except httpx.RequestError as error:
            return error


def _group(method: str, path: str) -> str:
    """Return the group of requests that share a rate limit at Close: the method and the start of the path."""
    return f"{method} {'/'.join(path.split('/')[:2])}"


def _headers(credential: Credential, content: bytes | None) -> dict[str, str]:
    headers = {"Authorization": credential.authorization, "Accept": "application/json", "User-Agent": USER_AGENT}
    # Close's server library rejects a body without a JSON content type, and chunked bodies. httpx sends bytes with a
    # Content-Length.
    return headers | {"Content-Type": "application/json"} if content is not None else headers


def _bound_reads(deadline: float, event: str, info: Mapping[str, Any]) -> None:
    """Set the read timeout to the remaining time, when the response headers and when the body begin."""
    if event in READS_BEGIN:
        info["request"].extensions["timeout"]["read"] = max(deadline - time.monotonic(), 0.01)


def _body(response: httpx.Response, deadline: float) -> bytes:
    """Read the body within the deadline, which httpx itself does not enforce."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            raise ResponseTooLarge("the response is too large", request=response.request)
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the response took too long", request=response.request)
    return b"".join(chunks)
