"""API Gateway's rules for the answer of a function behind a REST API."""

from collections.abc import Iterator, Mapping
from typing import Any

MAX_PAYLOAD = 6 * 1_048_576
"""Lambda Developer Guide, "Lambda quotas": the answer of a synchronous invocation."""
MAX_HEADERS = 10_240
"""API Gateway Developer Guide, "Quotas for configuring and running a REST API": all header values together."""
CHANGED = {
    *("authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards"),
    *("proxy-authenticate", "server", "trailer", "transfer-encoding", "upgrade", "user-agent", "via", "warn"),
    "www-authenticate",
}
"""API Gateway Developer Guide, "Important notes": these are dropped, or renamed to ``x-amzn-Remapped-…``."""


def answer_faults(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what API Gateway would answer with 502, drop or rename."""
    headers = {**answer.get("headers", {}), **answer.get("multiValueHeaders", {})}
    if not isinstance(answer.get("statusCode"), int) or not 200 <= answer["statusCode"] < 600:
        yield f"the status is {answer.get('statusCode')!r}"
    if not isinstance(answer.get("body", ""), str):
        yield "the body is not text"
    if len(str(answer.get("body", "")).encode()) > MAX_PAYLOAD:
        yield f"the answer has more than {MAX_PAYLOAD} bytes"
    if changed := {name.lower() for name in headers} & CHANGED:
        yield f"API Gateway drops or renames {sorted(changed)}"
    if sum(len(str(value)) for value in headers.values()) > MAX_HEADERS:
        yield f"the headers have more than {MAX_HEADERS} bytes"
    if broken := [name for name, value in headers.items() if "\n" in str(value) or not str(value).isprintable()]:
        yield f"a header cannot be sent: {broken}"
