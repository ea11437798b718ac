"""Sends requests to Close for one tenant, within the time that is left, and as politely as Close asks.

A read may be repeated. A write is sent once: it is sent again only when Close surely did not carry it out, which is
after a 401 (with another credential) or when the connection was never made.

What an answer means is in close_answers.py.
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
SETTLE_SECONDS = 5  # what it takes to write down and announce what Close answered
MIN_WRITE_SECONDS = 10  # a write is not begun with less time left to hear its answer
OUTAGE_SECONDS = 5
READS_BEGIN = {"http11.receive_response_headers.started", "http11.receive_response_body.started"}
MAX_ANSWER_BYTES = 20_000_000

type Credentials = Callable[[Credential | None], Credential]
"""Gives the tenant's credential; given the one that Close rejected, reads it anew."""


@dataclass(slots=True)
class Connection:
    """One tenant's way to Close, for the length of one batch.

    ``timeout`` and ``time_left`` are in seconds, ``clock`` gives Unix seconds. Not to be shared between threads; the
    ``http`` client may be.
    """

    http: httpx.Client
    base_url: str
    credentials: Credentials
    timeout: float
    time_left: Callable[[], float]
    clock: Callable[[], float]
    renewed: int = 0  # how often the credential was: what was read before was read with another one
    _credential: Credential | None = None
    _used_up: dict[str, float] = field(default_factory=dict)  # until when, by what the limit is counted for
    _closed_until: float = 0
    _closed_because: str = "Close asked this service to pause for this tenant (429)"

    def prepare(self) -> None:
        """Have the credential at hand, and Close's leave to be asked.

        Raises ``Refused`` when there is no credential, ``NotCreated`` when it can't be read, ``Busy`` while this tenant
        is to be left alone.
        """
        self._be_polite("")
        if self._credential is None:
            self._credential = self.credentials(None)

    @property
    def pin(self) -> str | None:
        """The organization that the credential must belong to, if the tenant's secret names one."""
        return self._credential.organization_id if self._credential else None

    def get(self, path: str, *, may_be_missing: bool = False) -> CloseResponse:
        """A successful answer (or 404, where that is one)."""
        return self._send("GET", path, may_be_missing=may_be_missing)

    def write(self, method: str, path: str, body: Mapping[str, object]) -> CloseResponse:
        """Send it, once. Raises ``MaybeCreated`` when the answer got lost."""
        return self._send(method, path, json.dumps(body).encode())

    def _be_polite(self, group: str) -> None:
        now = self.clock()
        if now < self._closed_until:
            raise RetryLater(self._closed_because, self._closed_until - now)
        if now < self._used_up.get(group, 0):
            raise RetryLater("Close's rate limit is used up", self._used_up[group] - now)

    def _send(
        self, method: str, path: str, content: bytes | None = None, *, may_be_missing: bool = False
    ) -> CloseResponse:
        """A successful answer (or 404, where that is one).

        A read is repeated once where the connection broke or the credential was old.
        """
        if self._credential is None:
            self.prepare()
        credential = cast("Credential", self._credential)
        answer = self._exchange(method, path, content, credential)
        if isinstance(answer, httpx.NetworkError | httpx.RemoteProtocolError) and method == "GET":
            answer = self._exchange(method, path, content, credential)  # a kept connection may have died unnoticed
        if isinstance(answer, CloseResponse) and answer.status == 401:
            answer = self._after_rejection(method, path, credential, answer)
        if may_be_missing and isinstance(answer, CloseResponse) and answer.status == 404:
            return answer
        error = failure(method, answer, cast("Credential", self._credential).secret, of_types=path == TYPES)
        if isinstance(error, RetryLater):
            self._closed_until = self.clock() + error.seconds
        elif isinstance(
            error, Unavailable | OutcomeUnknown
        ):  # an outage: the rest of this batch need not wait for it as long
            self._closed_until, self._closed_because = self.clock() + OUTAGE_SECONDS, str(error)
        if error:
            raise error
        assert isinstance(answer, CloseResponse)  # noqa: S101 - anything else is an error
        if content is not None and (seconds := exhausted_seconds(answer)):
            self._used_up[_group(method, path)] = self.clock() + seconds
        return answer

    def _after_rejection(
        self, method: str, path: str, rejected: Credential, answer: CloseResponse
    ) -> CloseResponse | httpx.RequestError:
        """The key may have been rotated: read it anew, and use it if it is another one."""
        renewed = self.credentials(rejected)
        if renewed == rejected:
            return answer
        self._credential, self.renewed = renewed, self.renewed + 1
        if (method, path) != (
            "GET",
            TYPES,
        ):  # what was read and checked before was read with another credential: begin again
            raise RetryLater("the tenant's credential was renewed", 0)
        return self._exchange(method, path, None, renewed)

    def _exchange(
        self, method: str, path: str, content: bytes | None, credential: Credential
    ) -> CloseResponse | httpx.RequestError:
        """One request and its answer, both within the time that is left.

        Only headers that drip in byte by byte may take longer: the client bounds each read of them, not their sum.
        """
        self._be_polite(_group(method, path))
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
        try:
            response = self.http.send(request, stream=True)
            try:
                return CloseResponse(response.status_code, response.headers, _body(response, deadline))
            finally:
                response.close()
        except httpx.RequestError as error:
            return error


def _group(method: str, path: str) -> str:
    """What Close counts a limit for: the method and the beginning of the path."""
    return f"{method} {'/'.join(path.split('/')[:2])}"


def _headers(credential: Credential, content: bytes | None) -> dict[str, str]:
    headers = {"Authorization": credential.authorization, "Accept": "application/json", "User-Agent": USER_AGENT}
    # Close's server library refuses a body that does not say that it is JSON, and chunked bodies: httpx sends bytes
    # with their Content-Length.
    return headers | {"Content-Type": "application/json"} if content is not None else headers


def _bound_reads(deadline: float, event: str, info: Mapping[str, Any]) -> None:
    """What is left bounds each read: the client looks how long that is when the answer, or its body, begins."""
    if event in READS_BEGIN:
        info["request"].extensions["timeout"]["read"] = max(deadline - time.monotonic(), 0.01)


def _body(response: httpx.Response, deadline: float) -> bytes:
    """The body, read within the deadline: httpx bounds each read, not their sum."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline or size > MAX_ANSWER_BYTES:
            raise httpx.ReadTimeout("the answer took too long, or too much", request=response.request)
    return b"".join(chunks)
