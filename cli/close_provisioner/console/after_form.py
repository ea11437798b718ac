"""The answer to a form: a redirect to a page that shows the result. A reload of that page sends nothing again."""

import secrets
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse

MAX_KEPT = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """The result of an action. ``kind``: good, bad or wait. ``raw``: the whole exchange. ``link``: a page about it."""

    kind: str
    text: str
    raw: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Notices:
    """The results of the latest actions, each under a random name that its page's address has."""

    _kept: dict[str, Notice] = field(default_factory=dict)

    def show(self, path: str, notice: Notice) -> RedirectResponse:
        """Return the redirect to the page that shows the notice."""
        name = secrets.token_urlsafe(8)
        self._kept[name] = notice
        for old in list(self._kept)[:-MAX_KEPT]:
            del self._kept[old]
        return to(f"{path}?done={name}")

    def of(self, request: Request) -> Notice | None:
        """Return the notice that the address names."""
        return self._kept.get(request.query_params.get("done", ""))


def to(path: str) -> RedirectResponse:
    """Return the redirect to a page."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)
