"""One table: what every answer of Close, and every silence, says about the world."""

import base64
import json
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.close.redaction import MAX_READ, redact
from provisioner.close.responses import (
    DEFAULT_WAIT_SECONDS,
    MAX_WAIT_SECONDS,
    CloseResponse,
    exhausted_seconds,
    failure,
    rate_limit_seconds,
)
from provisioner.contract.errors import (
    OutcomeUnknown,
    ProblemType,
    ProvisioningError,
    RateLimited,
    Rejected,
    Unavailable,
)

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "empty object": b"{}",
    "error text": b'{"error": "Unauthorized"}',
    "error object": b'{"error": {"message": "API call count exceeded for this 15 second window", "rate_reset": 0.87}}',
    "field errors": b'{"errors": [], "field-errors": {"name": "This field is required."}}',
    "field errors only": b'{"field-errors": {"name": ["This field is required."]}}',
    "errors": b'{"errors": ["A type by that name exists."]}',
    "odd types": b'{"error": 7, "errors": {"a": 1}, "field-errors": [null, {"name": 7}]}',
    "json but no object": b'["a"]',
    "text": b"Forbidden",
    "html": HTML,
    "not utf-8": b"\xff\xfe",
    "half json": b'{"id": "cotype_1", "na',
    "deep": b"[" * 100_000,
    "deep field errors": b'{"field-errors": ' + b'{"a":' * 3_000 + b'"x"' + b"}" * 3_001,
}

Expected = type[ProvisioningError] | ProblemType | None

# status: (a read, a create)
MEANINGS: dict[int, tuple[Expected, Expected]] = {
    200: (None, None),
    201: (None, None),
    202: (None, None),
    204: (None, None),
    301: (ProblemType.CLOSE_MISCONFIGURED, OutcomeUnknown),
    302: (ProblemType.CLOSE_MISCONFIGURED, OutcomeUnknown),
    304: (ProblemType.CLOSE_MISCONFIGURED, OutcomeUnknown),
    307: (ProblemType.CLOSE_MISCONFIGURED, OutcomeUnknown),
    308: (ProblemType.CLOSE_MISCONFIGURED, OutcomeUnknown),
    400: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.SPEC_REJECTED),
    401: (ProblemType.CREDENTIAL_REJECTED, ProblemType.CREDENTIAL_REJECTED),
    402: (ProblemType.PLAN_LIMIT, ProblemType.PLAN_LIMIT),
    403: (ProblemType.PERMISSION_MISSING, ProblemType.PERMISSION_MISSING),
    404: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.PLAN_LIMIT),
    405: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.CLOSE_MISCONFIGURED),
    408: (Unavailable, OutcomeUnknown),  # Close's proxy says so while the work goes on behind it
    409: (Unavailable, OutcomeUnknown),
    410: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.CLOSE_MISCONFIGURED),
    413: (Unavailable, ProblemType.SPEC_REJECTED),
    415: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.SPEC_REJECTED),
    418: (Unavailable, OutcomeUnknown),
    422: (ProblemType.CLOSE_MISCONFIGURED, ProblemType.SPEC_REJECTED),
    425: (Unavailable, OutcomeUnknown),
    429: (RateLimited, RateLimited),
    499: (Unavailable, OutcomeUnknown),
    500: (Unavailable, OutcomeUnknown),
    501: (Unavailable, OutcomeUnknown),
    502: (Unavailable, OutcomeUnknown),
    503: (Unavailable, OutcomeUnknown),
    504: (Unavailable, OutcomeUnknown),
    520: (Unavailable, OutcomeUnknown),
    599: (Unavailable, OutcomeUnknown),
}


def check(error: ProvisioningError | None, expected: Expected) -> None:
    if isinstance(expected, ProblemType):
        assert isinstance(error, Rejected)
        assert error.kind is expected
    else:
        assert type(error) is (expected or type(None))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("status", MEANINGS)
def test_every_response_becomes_one_error(status: int, body: bytes) -> None:
    read, create = MEANINGS[status]

    check(failure("GET", CloseResponse(status, {}, body)), read)
    check(failure("POST", CloseResponse(status, {}, body)), create)


def test_a_create_is_final_only_where_it_is_known_to_be() -> None:
    """After an undocumented status, the create may have happened."""
    errors = {status: failure("POST", CloseResponse(status, {}, b"")) for status in range(1000)}

    found = {status for status, error in errors.items() if isinstance(error, Rejected)}
    assert found == {400, 401, 402, 403, 404, 405, 410, 413, 415, 422}
    assert {status for status, error in errors.items() if error is None} == set(range(200, 300))
    assert not [status for status, error in errors.items() if isinstance(error, Unavailable)]


@pytest.mark.parametrize(
    "status", [status for status, (_, create) in MEANINGS.items() if isinstance(create, ProblemType)]
)
def test_a_rejection_carries_closes_status(status: int) -> None:
    error = failure("POST", CloseResponse(status, {}, b""))

    assert isinstance(error, Rejected)
    assert error.problem.close_status == status
    assert f"Close returned {status}." in error.problem.detail


def every_exception(base: type[httpx.RequestError] = httpx.RequestError) -> list[type[httpx.RequestError]]:
    return [base, *(each for child in base.__subclasses__() for each in every_exception(child))]


NEVER_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}


@pytest.mark.parametrize("exception", every_exception())
def test_every_exception_of_httpx_becomes_one_error(exception: type[httpx.RequestError]) -> None:
    silence = exception("api_acme.secret broke")

    check(failure("GET", silence), Unavailable)
    check(failure("POST", silence), Unavailable if exception.__name__ in NEVER_SENT else OutcomeUnknown)
    assert "secret" not in str(failure("POST", silence))


def test_the_table_of_exceptions_is_complete() -> None:
    """A new exception must be added to this table."""
    assert {each.__name__ for each in every_exception()} == NEVER_SENT | {
        "RequestError", "TransportError", "TimeoutException", "ReadTimeout", "WriteTimeout", "NetworkError",
        "ReadError", "WriteError", "CloseError", "ProtocolError", "LocalProtocolError", "RemoteProtocolError",
        "ProxyError", "DecodingError", "TooManyRedirects", "ResponseTooLarge",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"ratelimit": "limit=100, remaining=0, reset=5"}, b"", 5),
        ({"ratelimit": "limit=100, remaining=50, reset=2.5"}, b"", 2.5),
        ({"ratelimit": "limit=160; remaining=159; reset=8"}, b"", 8),
        ({"ratelimit": "limit=16; remaining=14; reset=0.734211"}, b"", 0.734211),
        ({"ratelimit": "reset=3"}, b"", 3),
        ({"ratelimit": "RESET = 3 , LIMIT=1"}, b"", 3),
        ({"ratelimit": 'limit="100", reset="4"'}, b"", 4),
        ({"ratelimit": '"default";r=0;t=7'}, b"", 7),
        ({"ratelimit": "limit=100, remaining=0, reset=5", "retry-after": "6"}, b"", 5),  # the more exact one
        ({"retry-after": "6"}, b"", 6),
        ({"retry-after": " 6 "}, b"", 6),
        ({"retry-after": "1.5"}, b"", 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, b"", 30),
        ({"retry-after": "Tue, 24 Nov 2026 11:59:00 GMT"}, b"", 0),
        ({"retry-after": "Tue, 24 Nov 2026 13:00:30 +0100"}, b"", 30),
        ({"ratelimit-reset": "9"}, b"", 9),
        ({"x-rate-limit-reset": "11"}, b"", 11),
        ({}, b'{"error": {"message": "x", "rate_reset": 0.87, "rate_limit": 600}}', 0.87),
        ({"ratelimit": "limit=100, remaining=0"}, b"", DEFAULT_WAIT_SECONDS),
        ({"ratelimit": "limit=100, reset=soon", "retry-after": "3"}, b"", 3),
        ({"ratelimit": "limit=100, reset=-1", "retry-after": "3"}, b"", 3),
        ({"ratelimit": "limit=100, reset=nan", "retry-after": "inf", "x-rate-limit-reset": "4"}, b"", 4),
        ({"retry-after": "later"}, b"", DEFAULT_WAIT_SECONDS),
        ({"retry-after": "5, 5"}, b"", DEFAULT_WAIT_SECONDS),
        ({}, b'{"error": {"message": "x", "rate_reset": null}}', DEFAULT_WAIT_SECONDS),
        ({}, b'{"error": "too many"}', DEFAULT_WAIT_SECONDS),
        ({}, b"", DEFAULT_WAIT_SECONDS),
        ({}, HTML, DEFAULT_WAIT_SECONDS),
        ({"retry-after": "86400"}, b"", MAX_WAIT_SECONDS),
        ({"ratelimit": "reset=1e300"}, b"", MAX_WAIT_SECONDS),
    ],
)  # fmt: skip
def test_polite_every_form_of_a_rate_limit_is_read(headers: dict[str, str], body: bytes, seconds: float) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)

    assert rate_limit_seconds(CloseResponse(429, headers, body), noon) == pytest.approx(seconds)


def test_polite_header_names_ignore_case() -> None:
    error = failure("POST", CloseResponse(429, httpx.Headers({"RateLimit": "limit=1, remaining=0, reset=7"}), b""))

    assert isinstance(error, RateLimited)
    assert error.seconds == 7


@given(st.text(), st.text(), st.binary())
def test_no_header_breaks_the_parser(rate_limit: str, retry_after: str, body: bytes) -> None:
    headers = {"ratelimit": rate_limit, "retry-after": retry_after}

    assert 0 <= rate_limit_seconds(CloseResponse(429, headers, body)) <= MAX_WAIT_SECONDS


def rejection(body: object, secret: str = "") -> Rejected:
    error = failure("POST", CloseResponse(400, {}, json.dumps(body).encode()), secret)
    assert isinstance(error, Rejected)
    return error


@pytest.mark.parametrize(
    ("field_errors", "pointers"),
    [
        ({"name": "Required."}, {"/name": ["Required."]}),
        ({"name": ["Too long.", "Not nice."]}, {"/name": ["Too long.", "Not nice."]}),
        ({"name": {"errors": ["Bad."]}}, {"/name": ["Bad."]}),
        ({"name": {"errors": {"0": "Bad."}}}, {"/name/0": ["Bad."]}),
        ({"editable_with_roles": [{"errors": {"": "No such role."}}, "Bad list."]},
         {"/editable_with_roles/0/": ["No such role."], "/editable_with_roles": ["Bad list."]}),
        ({"fields": [{"name": "Required."}, {"type": ["Not a valid choice."]}]},
         {"/fields/0/name": ["Required."], "/fields/1/type": ["Not a valid choice."]}),
        ({"contacts": [{"errors": [], "field-errors": {"name": "Required."}}]}, {"/contacts/0/name": ["Required."]}),
        ({"field-errors": {"name": {"field-errors": ["Bad."]}}}, {"/name": ["Bad."]}),
        ({"a/b": {"c~d": "x"}}, {"/a~1b/c~0d": ["x"]}),
        ({"name": None, "x": 7, "y": True}, {}),
        ({}, {}),
        ("Something about everything.", {"": ["Something about everything."]}),
    ],
)  # fmt: skip
def test_clear_field_errors_become_pointers(field_errors: Any, pointers: dict[str, list[str]]) -> None:
    found: dict[str, list[str]] = {}
    for each in rejection({"errors": [], "field-errors": field_errors}).problem.errors:
        found.setdefault(each.pointer, []).append(each.detail)

    assert found == pointers


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": "The request body must be a JSON object."}, "Close says: The request body must be a JSON object."),
        ({"error": {"message": "Slow down.", "rate_reset": 1}}, "Close says: Slow down."),
        ({"errors": ["One.", "Two."], "field-errors": {}}, "Close says: One.; Two."),
        ({"error": "Zero.", "errors": ["One."]}, "Close says: Zero.; One."),
        ({"errors": [1, None, {"a": 1}]}, "Close returned 400. Fix the spec and send a new request."),
        ({"field-errors": {"name": "Required."}}, "Close returned 400. Fix the spec and send a new request."),
        (["a"], "Close returned 400. Fix the spec and send a new request."),
        ({}, "Close returned 400. Fix the spec and send a new request."),
    ],
)
def test_clear_closes_own_messages_are_passed_on(body: Any, words: str) -> None:
    assert str(rejection(body)).endswith(words)


def test_clear_closes_messages_are_bounded() -> None:
    error = rejection({"error": "x" * 10_000, "field-errors": {f"f{number}": "y" * 10_000 for number in range(1000)}})

    assert len(error.problem.detail) < 400
    assert len(error.problem.errors) == 50
    assert len(error.problem.model_dump_json()) < 50 * 400


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405])
@pytest.mark.parametrize("secret", ["api_1aZ9.2bY8cX7", "an-oauth-token/with+signs=="])
def test_silent_the_credential_is_redacted_in_closes_messages(status: int, secret: str) -> None:
    body = {"error": f"no {secret}!", "errors": [secret], "field-errors": {"name": [f"{secret} twice {secret}"]}}

    error = failure("POST", CloseResponse(status, {}, json.dumps(body).encode()), secret)

    assert isinstance(error, Rejected)
    assert secret not in error.problem.model_dump_json()
    assert "no …!" in str(error)


SECRETS = ["api_1aZ9.2bY8cX7", "an-oauth-token/with+signs==", "tok~en/of.signs", "0123456789abcdef" * 200]


def echoes(secret: str) -> dict[str, str]:
    """Return the forms in which a server may echo the credential of a request."""
    basic = base64.b64encode(f"{secret}:".encode()).decode()
    percent = "".join(f"%{ord(character):02x}" for character in secret)
    return {
        "basic": basic,
        "unpadded": basic.rstrip("="),
        "URL-safe": base64.urlsafe_b64encode(f"{secret}:".encode()).decode(),
        "without the colon": base64.b64encode(secret.encode()).decode(),
        "as a password": base64.b64encode(f"user:{secret}".encode()).decode(),
        "after one byte": base64.b64encode(f":{secret}".encode()).decode(),
        "URL-encoded": quote(secret, safe=""),
        "URL-encoded throughout": percent,
        "in capitals": percent.upper(),
        "URL-encoded twice": quote(quote(secret, safe=""), safe=""),
        "URL-encoded basic": quote(basic, safe=""),
        "in upper case": secret.upper(),
        "in hex": secret.encode().hex(),
        "in hex and capitals": f"user:{secret}".encode().hex().upper(),
        "in MIME": base64.encodebytes(f"{'user' * 12}:{secret}".encode()).decode().rstrip(),
        "in lines of 64": "\r\n".join(wrap(base64.b64encode(f"{'user' * 10}:{secret}".encode()).decode(), 64)),
        "in hex and lines": "\n".join(wrap(f"{'user' * 6}:{secret}".encode().hex(), 60)),
    }


@pytest.mark.parametrize("secret", SECRETS, ids=["key", "token", "signs", "long"])
@pytest.mark.parametrize("form", echoes("api_1.2"))
def test_hole_10_no_form_of_the_credential_stays_in_closes_messages(secret: str, form: str) -> None:
    echo = echoes(secret)[form]
    message = f'Bad header {{"Authorization":"Basic {echo}"}}, path /api/v1/?key={echo}&x=1 here'
    body = {"error": message, "field-errors": {echo: [f"no ({echo})"], "plan": ["is required"]}}
    found = rejection(body, secret)
    assert "Bad header" in str(found)
    assert str(found).endswith("here")
    shown = found.problem.model_dump_json() + str(found)
    assert [piece for start in range(len(echo) - 8) if (piece := echo[start : start + 8]) in shown] == []
    assert found.problem.errors[1].detail == "is required"


@pytest.mark.parametrize(
    "text",
    ["Basic information is required", "the token is too short", "api_create_only: no", "a%b", "one line\nand another"],
)
def test_other_words_of_close_are_kept(text: str) -> None:
    assert redact(text, "tok") == text.replace("tok", "…")
    assert redact(text, "api_1aZ9.2bY8cX7") == text


def test_hole_10_a_long_text_is_cut_between_words() -> None:
    secret = "0123456789abcdef" * 200
    text = f"{secret} " * (MAX_READ // len(secret)) + "x " + secret
    assert set(redact(text, secret)) <= set("… x")
    assert redact(secret * 10 + "A" * MAX_READ, secret) == ""


def test_silent_any_other_close_key_is_redacted_too() -> None:
    assert "s3cret" not in str(rejection({"error": "key api_other1.s3cret2 is dead"}, "api_1aZ9.2bY8cX7"))
    in_hex = b"api_other1.s3cret2".hex()
    assert redact(f"key {in_hex} is dead", "api_1aZ9.2bY8cX7") == "key … is dead"


def test_silent_other_failures_quote_nothing() -> None:
    for status in (408, 429, 500, 503):
        error = failure("POST", CloseResponse(status, {}, b'{"error": "api_1aZ9.2bY8cX7"}'))
        assert "api_" not in str(error)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", HTML, b"[" * 100_000])
def test_an_invalid_body_reads_as_none(body: bytes) -> None:
    assert CloseResponse(200, {}, body).json() is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("limit=160, remaining=0, reset=8", 8),
        ("limit=160; remaining=0; reset=1.5", 1.5),
        ('"default";r=0;t=3', 3),
        ("limit=160, remaining=1, reset=8", None),
        ("limit=160, remaining=0", None),
        ("limit=160, remaining=none, reset=8", None),
        ("", None),
    ],
)
def test_polite_a_response_shows_when_no_call_is_left(header: str, seconds: float | None) -> None:
    assert exhausted_seconds(CloseResponse(201, {"ratelimit": header}, b"")) == seconds
