"""Lets in the browser that opened the printed URL, and nothing else.

Other pages in the same browser, other names for this address (DNS rebinding) and forms of other sites are refused.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # with no-referrer, Chromium sends the forms of these pages from origin null
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = {"GET", "HEAD"}


@dataclass(frozen=True, slots=True)
class Guard:
    """Middleware around the whole console. ``origin``: for example ``http://127.0.0.1:8321``."""

    app: ASGIApp
    origin: str
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and add the headers that every response has."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._own_answer(scope) or self.app
        await answer(scope, receive, send_with_headers)

    @property
    def cookie(self) -> str:
        """The cookie's name. A browser sends cookies to every port of a host: the name keeps two consoles apart."""
        return f"console-{self.origin.rpartition(':')[2]}"

    def _own_answer(self, scope: Scope) -> Response | None:
        """Return a refusal, or the redirect that turns the URL's token into a cookie; None to serve it."""
        headers = Headers(scope=scope)
        if headers.get("host") != self.origin.removeprefix("http://"):
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, f"This console answers at {self.origin} only.")
        given = QueryParams(scope["query_string"]).get("token")
        if given is not None and scope["method"] in SAFE_METHODS:
            return self._enter(given, scope["path"])
        if not self._is_token(cookie_parser(headers.get("cookie", "")).get(self.cookie, "")):
            return _refusal(
                HTTPStatus.FORBIDDEN, "Open the URL that close-provisioner printed when it started the console."
            )
        if scope["method"] not in SAFE_METHODS and not self._comes_from_here(headers):
            return _refusal(HTTPStatus.FORBIDDEN, "This form was sent from another site. Nothing was changed.")
        return None

    def _enter(self, given: str, path: str) -> Response:
        if not self._is_token(given):
            return _refusal(
                HTTPStatus.FORBIDDEN, "This URL is of a console that has ended. Open that of the one that runs."
            )
        entered = RedirectResponse("/" if path.startswith("//") else path, HTTPStatus.SEE_OTHER)
        entered.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return entered

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _comes_from_here(self, headers: Mapping[str, str]) -> bool:
        return headers.get("origin") == self.origin and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _refusal(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status)
