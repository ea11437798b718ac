"""How a connection is treated, and the reactions that faults are made of."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.simulator.api.responses import JSON, Answer, error_answer, json_answer, not_permitted, text_answer
from infra.simulator.api.responses import unauthorized as unauthorized_answer
from infra.simulator.options import Switches
from infra.simulator.rate_limits import Standing, too_many_requests

type Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the connection does: after ``wait`` seconds it answers, or ends otherwise.

    ``close`` and ``reset`` end it without a byte, ``cut`` in the middle of the answer. ``hold`` says nothing until the
    client goes, at most ``wait`` seconds. ``work``, if any, makes the answer when the wait is over.
    """

    answer: Answer | None
    ending: Literal["answer", "close", "reset", "hold", "cut"] = "answer"
    wait: float = 0
    work: Callable[[], Answer] | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What a reaction knows: what the request came to (``Answer(0)`` when it was not carried out), and where."""

    answer: Answer
    switches: Switches
    url: str
    now: float


type React = Callable[[Moment, Parameters], Reaction]

_PROXY_TEXTS = {
    408: "stream timeout",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "upstream connect error or disconnect/reset before headers",
    504: "upstream request timeout",
}


def proxy_status(status: int) -> React:
    """What a proxy in front of Close, or Close in trouble, would say."""

    def react(_: Moment, parameters: Parameters) -> Reaction:
        answer = _bodied(status, _PROXY_TEXTS[status], parameters["body"])
        if (seconds := parameters["retry_after_seconds"]) is not None:
            answer = answer.with_headers({"Retry-After": str(math.ceil(seconds))})
        return Reaction(answer, wait=parameters["seconds"])

    return react


def _bodied(status: int, text: str, form: str) -> Answer:
    match form:
        case "html":
            return text_answer(status, f"<html><body><h1>{status} {text}</h1></body></html>", "text/html")
        case "json":
            return error_answer(status, text)
        case "empty":
            return Answer(status)
        case _:
            return text_answer(status, text)


def hang_up(_: Moment, parameters: Parameters) -> Reaction:
    return Reaction(None, parameters["how"], parameters["seconds"])


def hold(_: Moment, parameters: Parameters) -> Reaction:
    return Reaction(None, "hold", parameters["seconds"])


def cut(moment: Moment, _: Parameters) -> Reaction:
    return Reaction(moment.answer, "cut")


def as_it_is(moment: Moment, _: Parameters) -> Reaction:
    return Reaction(moment.answer)


def slow(_: Moment, parameters: Parameters) -> Reaction:
    return Reaction(None, wait=parameters["seconds"])


def late(_: Moment, parameters: Parameters) -> Reaction:
    return Reaction(_bodied(parameters["status"], "stream timeout", "text"))


def without_id(moment: Moment, parameters: Parameters) -> Reaction:
    """A success that does not say what was made. A body that is no object is left as it is."""
    try:
        made = json.loads(moment.answer.body)
    except ValueError:
        made = None
    if not isinstance(made, dict):
        return Reaction(moment.answer)
    rest = {name: value for name, value in made.items() if name != "id"}
    kept = {
        name: value for name, value in moment.answer.headers.items() if name == "Location" and parameters["location"]
    }
    return Reaction(json_answer(rest, moment.answer.status, kept))


def html_error(_: Moment, parameters: Parameters) -> Reaction:
    return Reaction(_bodied(parameters["status"], "Something went wrong", "html"))


def garbage_json(moment: Moment, _: Parameters) -> Reaction:
    """A success that calls itself JSON and is half of it."""
    half = moment.answer.body[: max(1, len(moment.answer.body) // 2)]
    return Reaction(Answer(moment.answer.status, half, {"Content-Type": JSON}))


def too_many(moment: Moment, parameters: Parameters) -> Reaction:
    standing = Standing(parameters["limit"], parameters["remaining"], parameters["reset"], moment.now)
    answer = too_many_requests(
        standing, moment.switches, parameters["header"], parameters["retry_after"], parameters["too_many_body"]
    )
    return Reaction(answer)


def redirect(moment: Moment, parameters: Parameters) -> Reaction:
    """To a path of the simulator that it does not know: the request log shows who followed."""
    location = parameters["location"] or f"{moment.url}/elsewhere/"
    return Reaction(Answer(parameters["status"], b"", {"Location": location}))


def unauthorized(moment: Moment, _: Parameters) -> Reaction:
    return Reaction(unauthorized_answer(moment.switches))


def payment_required(_: Moment, __: Parameters) -> Reaction:
    return Reaction(error_answer(402, "Your plan does not include custom objects."))


def forbidden(moment: Moment, _: Parameters) -> Reaction:
    return Reaction(not_permitted(moment.switches.changed({"permission_failure": 403})))
