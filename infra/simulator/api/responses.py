"""Answers as values, and the shapes in which Close says no."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from infra.simulator.options import Switches

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        return replace(self, headers={**self.headers, **headers})

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


class Refused(Exception):
    """Ends the work on a request: this is its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": JSON, **(headers or {})})


def text_answer(status: int, text: str, content_type: str = "text/plain") -> Answer:
    return Answer(status, text.encode(), {"Content-Type": f"{content_type}; charset=utf-8"})


def error_answer(status: int, message: str, **further: object) -> Answer:
    """The shape of everything that is not about a field: ``{"error": …}``."""
    return json_answer({"error": message, **further}, status)


def unauthorized(switches: Switches) -> Answer:
    headers = {"WWW-Authenticate": 'Basic realm="Close"'} if switches.www_authenticate else {}
    return error_answer(401, "Unauthorized").with_headers(headers)


def not_permitted(switches: Switches) -> Answer:
    """The role may not do this."""
    if switches.permission_failure == 401:
        return unauthorized(switches)
    if switches.permission_body == "text":
        return text_answer(403, "Forbidden")
    return error_answer(403, "You do not have permission to perform this action.")


def not_found(what: str) -> Answer:
    return error_answer(404, f"Empty query: {what} does not exist.")


_SENTENCES = {
    "pydantic": {
        "required": "Field required",
        "text": "Input should be a valid string",
        "flag": "Input should be a valid boolean",
        "texts": "Input should be a valid list",
        "too_long": "String should have at most {limit} characters",
        "blank": "String should have at least 1 character",
        "choice": "Input should be one of the permitted values",
        "unknown": "Extra inputs are not permitted",
    },
    "cleancat": {
        "required": "This field is required.",
        "text": "Value must be of str type.",
        "flag": "Value must be of bool type.",
        "texts": "Value must be of list type.",
        "too_long": "The value must be no longer than {limit} characters.",
        "blank": "This field is required.",
        "choice": "Not a valid choice.",
        "unknown": "Unknown field.",
    },
}
_SENTENCES_OF_BOTH = {
    "missing": "Object does not exist.",
    "fixed": "Value cannot be changed.",
    "taken": "This name is already in use.",
    "empty": "List must not be empty.",
    "foreign": "Value does not match your organization.",
    "single": "This type of field holds one value only.",
    "referenced": "Custom fields still refer to this type.",
}


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one field: a key of the sentences above."""

    code: str
    limit: int | None = None

    def sentence(self, switches: Switches) -> str:
        sentences = _SENTENCES_OF_BOTH | _SENTENCES[switches.validation_dialect]
        return sentences[self.code].format(limit=self.limit)


def validation_answer(mistakes: Mapping[str, Mistake], switches: Switches, shape: str | None = None) -> Answer:
    """400 about fields, in the shape that the switches (or the caller) ask for."""
    sentences = {name: mistake.sentence(switches) for name, mistake in mistakes.items()}
    listed = [f"{name}: {sentence}" for name, sentence in sentences.items()]
    match shape or switches.validation_body:
        case "errors":
            return json_answer({"errors": listed, "field-errors": {}}, 400)
        case "error":
            return error_answer(400, "; ".join(listed))
        case "text":
            return text_answer(400, "<html><body><h1>400 Bad Request</h1></body></html>", "text/html")
        case "field_errors_only":
            return json_answer({"field-errors": _values(sentences, switches)}, 400)
        case _:
            return json_answer({"errors": [], "field-errors": _values(sentences, switches)}, 400)


def _values(sentences: Mapping[str, str], switches: Switches) -> dict[str, Any]:
    match switches.validation_values:
        case "list":
            return {name: [sentence] for name, sentence in sentences.items()}
        case "nested":
            return {name: {"errors": [sentence]} for name, sentence in sentences.items()}
        case _:
            return dict(sentences)
