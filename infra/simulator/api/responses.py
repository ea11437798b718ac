"""Responses as values, and the forms of Close's errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from infra.simulator.options import Options

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
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
    """A request is rejected. ``response`` is the response to it."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value).encode(), {"Content-Type": JSON, **(headers or {})})


def text_response(status: int, text: str, content_type: str = "text/plain") -> Response:
    return Response(status, text.encode(), {"Content-Type": f"{content_type}; charset=utf-8"})


def error_response(status: int, message: str, **further: object) -> Response:
    """Return an error that does not concern a field: ``{"error": …}``."""
    return json_response({"error": message, **further}, status)


def unauthorized(options: Options) -> Response:
    headers = {"WWW-Authenticate": 'Basic realm="Close"'} if options.www_authenticate else {}
    return error_response(401, "Unauthorized").with_headers(headers)


def not_permitted(options: Options) -> Response:
    """Return the response for a role without the permission."""
    if options.permission_failure == 401:
        return unauthorized(options)
    if options.permission_body == "text":
        return text_response(403, "Forbidden")
    return error_response(403, "You do not have permission to perform this action.")


def not_found(name: str) -> Response:
    return error_response(404, f"Empty query: {name} does not exist.")


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
    """The fault of one field: a key of the sentences above."""

    code: str
    limit: int | None = None

    def sentence(self, options: Options) -> str:
        sentences = _SENTENCES_OF_BOTH | _SENTENCES[options.validation_dialect]
        return sentences[self.code].format(limit=self.limit)


def validation_response(mistakes: Mapping[str, Mistake], options: Options, shape: str | None = None) -> Response:
    """Return a 400 about fields, in the form that the options or ``shape`` ask for."""
    sentences = {name: mistake.sentence(options) for name, mistake in mistakes.items()}
    listed = [f"{name}: {sentence}" for name, sentence in sentences.items()]
    match shape or options.validation_body:
        case "errors":
            return json_response({"errors": listed, "field-errors": {}}, 400)
        case "error":
            return error_response(400, "; ".join(listed))
        case "text":
            return text_response(400, "<html><body><h1>400 Bad Request</h1></body></html>", "text/html")
        case "field_errors_only":
            return json_response({"field-errors": _values(sentences, options)}, 400)
        case _:
            return json_response({"errors": [], "field-errors": _values(sentences, options)}, 400)


def _values(sentences: Mapping[str, str], options: Options) -> dict[str, Any]:
    match options.validation_values:
        case "list":
            return {name: [sentence] for name, sentence in sentences.items()}
        case "nested":
            return {name: {"errors": [sentence]} for name, sentence in sentences.items()}
        case _:
            return dict(sentences)
