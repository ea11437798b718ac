"""Sends questions to the stack's HTTP API, and turns refusals into errors in one sentence."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote

import httpx

from close_provisioner.client.answers import Problem
from close_provisioner.errors import CommandError, Misused, NotAllowed, NotFound, Refused, Unexpected
from close_provisioner.stack.aws_errors import DENIED, EXPIRED, not_allowed
from close_provisioner.stack.which import Stack

PATIENCE_SECONDS = 40  # API Gateway itself responds within 29
MISSING = {"request-not-found", "tenant-not-found", "not-found", "dead-letter-not-found", "source-not-found"}
NO_OPERATOR = (
    "This stack has no route {method} {path}. Deploy the version that this command belongs to, with the "
    "operator's routes on (parameter OperatorApi)."
)


@dataclass(frozen=True, slots=True)
class Question:
    """One request to the API. ``settled``: a problem that comes with a request's outcome is an answer too."""

    method: str
    path: tuple[str, ...]
    body: object = None
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    settled: bool = False

    @property
    def route(self) -> str:
        """The path, with its parts quoted."""
        return "/v1/" + "/".join(quote(part, safe="") for part in self.path)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of the service, not yet read as one answer or another."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Transport:
    """A connection to one stack. Every request is signed with the caller's credentials."""

    def __init__(self, http: httpx.Client, api_url: str) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")

    @classmethod
    def of(cls, stack: Stack, transport: httpx.BaseTransport | None = None) -> Self:
        """Return the connection to a stack; ``transport`` replaces the network."""
        plain = stack.api_url.startswith("http://")  # loading the certificates takes 30 ms
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
        http = httpx.Client(
            auth=stack.signed_requests(),
            timeout=PATIENCE_SECONDS,
            transport=transport,
            verify=verify,
            trust_env=not stack.is_local,
        )
        return cls(http, stack.api_url)

    def get(self, *path: str, **query: object) -> Any:
        """Return the answer to a GET. A query value of None is left out, a list is given once for each entry."""
        given = {name: value for name, value in query.items() if value not in (None, [], ())}
        return self.ask(Question("GET", path, query=given)).body

    def post(self, *path: str, body: object) -> Any:
        """Return the answer to a POST."""
        return self.ask(Question("POST", path, body)).body

    def delete(self, *path: str) -> Any:
        """Return the answer to a DELETE."""
        return self.ask(Question("DELETE", path)).body

    def ask(self, question: Question) -> Reply:
        """Return the reply.

        Raises:
            CommandError: the service refused, does not know the route, or did not respond.
        """
        content = b"" if question.body is None else json.dumps(question.body).encode()
        headers = {**({"Content-Type": "application/json"} if content else {}), **question.headers}
        try:
            response = self._http.request(
                question.method,
                f"{self._api_url}{question.route}",
                params=question.query or None,
                content=content,
                headers=headers,
            )
        except httpx.HTTPError as error:
            raise Unexpected(
                f"No response from {self._api_url} ({type(error).__name__}: {error}). "
                "Check the network, and that the stack is there."
            ) from error
        document = _document(response)
        if response.is_success or (question.settled and isinstance(document, dict) and "outcome" in document):
            return Reply(response.status_code, document, dict(response.headers))
        raise _refusal(response, document, question)


def _document(response: httpx.Response) -> Any:
    if "json" not in response.headers.get("content-type", ""):
        return response.text
    try:
        return response.json()
    except ValueError:
        return response.text


def _refusal(response: httpx.Response, document: Any, question: Question) -> CommandError:
    """Return the error for a response that is not an answer."""
    method, route = question.method, question.route
    if isinstance(document, dict) and "type" in document and "detail" in document:
        problem = Problem.read(document)
        if problem.kind == "not-found" and problem.detail == "Unknown route.":
            return NotFound(NO_OPERATOR.format(method=method, path=route))
        kind = Misused if problem.kind == "invalid-request" else NotFound if problem.kind in MISSING else Refused
        return kind(problem.sentence)
    message = _message(document)
    if response.status_code == HTTPStatus.FORBIDDEN:
        return _forbidden(message, method, route)
    if response.status_code == HTTPStatus.NOT_FOUND:
        return NotFound(NO_OPERATOR.format(method=method, path=route))
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return Unexpected("The API is busy (429). Try again in a minute.")
    return Unexpected(f"{method} {route} returned {response.status_code}: {message[:300]}")


def _message(document: Any) -> str:
    """Return the gateway's message. It writes the key with a capital letter for a denial."""
    if isinstance(document, dict):
        document = document.get("message") or document.get("Message") or document
    return str(document)


def _forbidden(message: str, method: str, route: str) -> CommandError:
    """Return the error for a 403 of the gateway, which also says 403 for a route that does not exist."""
    if "Missing Authentication Token" in message:
        return NotFound(NO_OPERATOR.format(method=method, path=route))
    if "expired" in message.lower():
        return NotAllowed(EXPIRED)
    if DENIED.search(message):
        return not_allowed(message, "execute-api:Invoke", f"{method} {route}")
    return NotAllowed(f"The API refused {method} {route}: {message}. It takes execute-api:Invoke on that route.")
