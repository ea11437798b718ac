"""Effects on a connection, and the functions that make them for each fault."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.simulator.api.responses import JSON, Response, error_response, json_response, not_permitted, text_response
from infra.simulator.api.responses import unauthorized as unauthorized_response
from infra.simulator.options import Options
from infra.simulator.rate_limits import Standing, too_many_requests

type Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Effect:
    """The behavior of the connection: after ``wait`` seconds it responds, or ends.

    ``close`` and ``reset`` end it without a byte, ``cut`` in the middle of the response. ``hold`` sends nothing until
    the client disconnects, at most for ``wait`` seconds. ``work`` makes the response when the wait is over.
    """

    response: Response | None
    ending: Literal["respond", "close", "reset", "hold", "cut"] = "respond"
    wait: float = 0
    work: Callable[[], Response] | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """The input of an effect: the response to the request (``Response(0)`` if it was not executed), and its context."""

    response: Response
    options: Options
    url: str
    now: float


type MakeEffect = Callable[[Moment, Parameters], Effect]

_PROXY_TEXTS = {
    408: "stream timeout",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "upstream connect error or disconnect/reset before headers",
    504: "upstream request timeout",
}


def proxy_status(status: int) -> MakeEffect:
    """Return an effect that responds like a failing proxy or a failing Close."""

    def effect(_: Moment, parameters: Parameters) -> Effect:
        response = _bodied(status, _PROXY_TEXTS[status], parameters["body"])
        if (seconds := parameters["retry_after_seconds"]) is not None:
            response = response.with_headers({"Retry-After": str(math.ceil(seconds))})
        return Effect(response, wait=parameters["seconds"])

    return effect


def _bodied(status: int, text: str, form: str) -> Response:
    match form:
        case "html":
            return text_response(status, f"<html><body><h1>{status} {text}</h1></body></html>", "text/html")
        case "json":
            return error_response(status, text)
        case "empty":
            return Response(status)
        case _:
            return text_response(status, text)


def hang_up(_: Moment, parameters: Parameters) -> Effect:
    return Effect(None, parameters["how"], parameters["seconds"])


def hold(_: Moment, parameters: Parameters) -> Effect:
    return Effect(None, "hold", parameters["seconds"])


def cut(moment: Moment, _: Parameters) -> Effect:
    return Effect(moment.response, "cut")


def unchanged(moment: Moment, _: Parameters) -> Effect:
    return Effect(moment.response)


def slow(_: Moment, parameters: Parameters) -> Effect:
    return Effect(None, wait=parameters["seconds"])


def late(_: Moment, parameters: Parameters) -> Effect:
    return Effect(_bodied(parameters["status"], "stream timeout", "text"))


def without_id(moment: Moment, parameters: Parameters) -> Effect:
    """Remove the id from a successful response. Other bodies than JSON objects stay unchanged."""
    try:
        made = json.loads(moment.response.body)
    except ValueError:
        made = None
    if not isinstance(made, dict):
        return Effect(moment.response)
    rest = {name: value for name, value in made.items() if name != "id"}
    kept = {
        name: value for name, value in moment.response.headers.items() if name == "Location" and parameters["location"]
    }
    return Effect(json_response(rest, moment.response.status, kept))


def html_error(_: Moment, parameters: Parameters) -> Effect:
    return Effect(_bodied(parameters["status"], "Something went wrong", "html"))


def garbage_json(moment: Moment, _: Parameters) -> Effect:
    """Return the first half of a successful JSON response."""
    half = moment.response.body[: max(1, len(moment.response.body) // 2)]
    return Effect(Response(moment.response.status, half, {"Content-Type": JSON}))


def too_many(moment: Moment, parameters: Parameters) -> Effect:
    standing = Standing(parameters["limit"], parameters["remaining"], parameters["reset"], moment.now)
    response = too_many_requests(
        standing, moment.options, parameters["header"], parameters["retry_after"], parameters["too_many_body"]
    )
    return Effect(response)


def redirect(moment: Moment, parameters: Parameters) -> Effect:
    """Redirect to an unknown path of the simulator: the request log shows which clients followed."""
    location = parameters["location"] or f"{moment.url}/elsewhere/"
    return Effect(Response(parameters["status"], b"", {"Location": location}))


def unauthorized(moment: Moment, _: Parameters) -> Effect:
    return Effect(unauthorized_response(moment.options))


def payment_required(_: Moment, __: Parameters) -> Effect:
    return Effect(error_response(402, "Your plan does not include custom objects."))


def forbidden(moment: Moment, _: Parameters) -> Effect:
    return Effect(not_permitted(moment.options.changed({"permission_failure": 403})))
