"""Close's REST API: the Custom Object Types of one organisation.

A read may be repeated. A create is sent once: it is sent again only when Close surely did not carry it out, which is
after a 401 (with another credential) or when the connection was never made.

What an answer means is in close_answers.py.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from pydantic import ValidationError

from provisioner import __version__
from provisioner.close_answers import Answer, failure
from provisioner.contract import Credential, CustomObjectType, CustomObjectTypeSpec
from provisioner.errors import Busy, Kind, MaybeCreated, NotCreated, Refused

USER_AGENT = f"close-provisioner/{__version__}"
TYPES = "custom_object_type/"
CONNECT_SECONDS = 5
SETTLE_SECONDS = 5  # what it takes to write down and announce what Close answered
OUTAGE_SECONDS = 5
MAX_PAGES = 50
MAX_ANSWER_BYTES = 20_000_000

type Credentials = Callable[[Credential | None], Credential]
"""Gives the tenant's credential; given the one that Close rejected, reads it anew."""


@dataclass(slots=True)
class Organization:
    """One tenant's organisation, for the length of one batch: its list of types is read at most once when it can be.

    ``timeout`` and ``time_left`` are in seconds, ``clock`` gives Unix seconds. Not to be shared between threads; the
    ``http`` client may be.
    """

    http: httpx.Client
    base_url: str
    credentials: Credentials
    timeout: float
    time_left: Callable[[], float]
    clock: Callable[[], float]
    paused_until: Callable[[], float]
    pause: Callable[[float], None]
    _credential: Credential | None = None
    _types: list[CustomObjectType] = field(default_factory=list)
    _types_read_at: float | None = None
    _pin_holds: bool = False
    _closed_until: float = 0
    _closed_because: str = "Close asked to leave this tenant alone for a while (429)"

    def open(self) -> None:
        """Have the credential at hand, and Close's leave to be asked.

        Raises ``Refused`` when there is no credential, ``NotCreated`` when it can't be read, ``Busy`` while this tenant
        is to be left alone.
        """
        self._closed_until = max(self._closed_until, self.paused_until())
        self._be_polite()
        if self._credential is None:
            self._credential = self.credentials(None)

    def _be_polite(self) -> None:
        now = self.clock()
        if now < self._closed_until:
            raise Busy(self._closed_because, self._closed_until - now)

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]:
        """All types, from a list read at ``not_before`` (Unix seconds) or later.

        Raises ``Refused``, ``NotCreated`` or ``Busy``.
        """
        if self._types_read_at is None or self._types_read_at < not_before:
            read_at = self.clock()
            self._types = self._read_types()
            self._types_read_at = read_at
            self._check_pin()
        return self._types

    def type(self, close_id: str) -> CustomObjectType | None:
        """One type, asked for by its id; None when Close says that there is no such type."""
        answer = self._send("GET", f"{TYPES}{close_id}/", may_be_missing=True)
        if answer.status == 404:
            return None
        found = _custom_object_type(answer.json())
        if found is None:
            raise NotCreated("Close answered the look-up of a type with something else")
        return found

    def create(self, spec: CustomObjectTypeSpec) -> CustomObjectType:
        """Send the create, once.

        Raises ``Busy`` when too little time is left to hear the answer and write it down, ``MaybeCreated`` when the
        answer got lost or names no id, ``Refused`` or ``NotCreated`` when surely nothing was created.
        """
        answer = self._send("POST", TYPES, json.dumps(spec.wanted()).encode())
        created = _custom_object_type(answer.json())
        if created is None:
            raise MaybeCreated(f"Close answered the create with {answer.status}, but named no type")
        pin = self._credential and self._credential.organization_id
        if pin and created.organization_id not in {None, pin}:
            raise _wrong_organization(pin, f"the type {created.id} was created in {created.organization_id}")
        self._types.append(created)
        return created

    def _read_types(self) -> list[CustomObjectType]:
        """The whole list. Close sends it in one page today; should it begin to page, no page may be missed."""
        types: dict[str, CustomObjectType] = {}
        query = ""
        for _ in range(MAX_PAGES):
            answer = self._send("GET", f"{TYPES}{query}")
            page = answer.json()
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list) or page.get("cursor"):
                raise NotCreated("Close's list of types could not be read to its end")
            known = len(types)
            for row in rows:
                # A row that cannot be read might be the very type that is looked for.
                if (each := _custom_object_type(row)) is None:
                    raise NotCreated("Close's list holds a type that could not be read")
                types[each.id] = each
            if not page.get("has_more"):
                return list(types.values())
            if len(types) == known:
                break
            query = f"?_skip={len(types)}"
        raise NotCreated("Close's list of types has no end")

    def _check_pin(self) -> None:
        """Where the tenant is pinned to an organisation, make sure that this is it before anything is written."""
        pin = self._credential and self._credential.organization_id
        if not pin or self._pin_holds:
            return
        organizations: set[str | None] = {each.organization_id for each in self._types} - {None}
        if not organizations:
            answer = self._send("GET", "me/?_fields=organizations")
            organizations = _organization_ids(answer.json())
        if organizations != {pin}:
            raise _wrong_organization(pin, f"it opens {_listed(organizations)}; nothing was written")
        self._pin_holds = True

    def _send(self, method: str, path: str, content: bytes | None = None, *, may_be_missing: bool = False) -> Answer:
        """A successful answer (or 404, where that is one).

        A read is repeated once where the connection broke or the credential was old.
        """
        if self._credential is None:
            self.open()
        credential = cast("Credential", self._credential)
        answer = self._exchange(method, path, content, credential)
        if isinstance(answer, httpx.NetworkError | httpx.RemoteProtocolError) and method == "GET":
            answer = self._exchange(method, path, content, credential)  # a kept connection may have died unnoticed
        if isinstance(answer, Answer) and answer.status == 401:
            answer = self._after_rejection(method, path, credential, answer)
        if may_be_missing and isinstance(answer, Answer) and answer.status == 404:
            return answer
        error = failure(method, answer, cast("Credential", self._credential).secret)
        if isinstance(error, Busy):
            self._closed_until = self.clock() + error.seconds
            self.pause(self._closed_until)
        elif isinstance(
            error, NotCreated | MaybeCreated
        ):  # an outage: the rest of this batch need not wait for it as long
            self._closed_until, self._closed_because = self.clock() + OUTAGE_SECONDS, str(error)
        if error:
            raise error
        assert isinstance(answer, Answer)  # noqa: S101 - anything else is an error
        return answer

    def _after_rejection(
        self, method: str, path: str, rejected: Credential, answer: Answer
    ) -> Answer | httpx.RequestError:
        """The key may have been rotated: read it anew, and use it if it is another one."""
        renewed = self.credentials(rejected)
        if renewed == rejected:
            return answer
        self._credential, self._pin_holds, self._types_read_at = renewed, False, None
        if (method, path) != (
            "GET",
            TYPES,
        ):  # what was read and checked before was read with another credential: begin again
            raise Busy("the tenant's credential was renewed", 0)
        return self._exchange(method, path, None, renewed)

    def _exchange(
        self, method: str, path: str, content: bytes | None, credential: Credential
    ) -> Answer | httpx.RequestError:
        """One request and its answer, both within the time that is left."""
        self._be_polite()
        left = self.time_left() - SETTLE_SECONDS
        if left < (self.timeout if method == "POST" else 1):
            raise Busy("too little time is left in this run", 0)
        seconds = min(self.timeout, left)
        deadline = time.monotonic() + seconds
        request = self.http.build_request(
            method,
            self.base_url + path,
            content=content,
            headers=_headers(credential, content),
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
        )
        try:
            response = self.http.send(request, stream=True)
            # What is left bounds the reading of the body, too: httpx looks here when that begins.
            request.extensions["timeout"]["read"] = max(deadline - time.monotonic(), 0.01)
            try:
                return Answer(response.status_code, response.headers, _body(response, deadline))
            finally:
                response.close()
        except httpx.RequestError as error:
            return error


def _headers(credential: Credential, content: bytes | None) -> dict[str, str]:
    headers = {"Authorization": credential.authorization, "Accept": "application/json", "User-Agent": USER_AGENT}
    # Close's server library refuses a body that does not say that it is JSON, and chunked bodies: httpx sends bytes
    # with their Content-Length.
    return headers | {"Content-Type": "application/json"} if content is not None else headers


def _body(response: httpx.Response, deadline: float) -> bytes:
    """The body, read within the deadline: httpx bounds each read, not their sum."""
    chunks, size = [], 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if time.monotonic() > deadline or size > MAX_ANSWER_BYTES:
            raise httpx.ReadTimeout("the answer took too long, or too much", request=response.request)
    return b"".join(chunks)


def _custom_object_type(document: Any) -> CustomObjectType | None:
    try:
        return CustomObjectType.model_validate(document)
    except ValidationError:
        return None


def _listed(organizations: set[Any]) -> str:
    return ", ".join(sorted(map(str, organizations))) or "none"


def _organization_ids(me: Any) -> set[str | None]:
    rows = me.get("organizations") if isinstance(me, dict) else None
    return {each.get("id") for each in rows or [] if isinstance(each, dict)}


def _wrong_organization(pin: str, consequence: str) -> Refused:
    return Refused(
        Kind.WRONG_ORGANIZATION,
        f"The tenant's credential must open organisation {pin} and no other: {consequence}. "
        "Whoever keeps this service's secrets can mend it.",
    )
