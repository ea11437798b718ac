"""The tenant and the request id under which a failure is announced, if no valid request says them."""

import json
from typing import Any

from provisioner.contract.request import ProvisioningRequest, valid_identifier_or

UNKNOWN = "unknown"
"""The tenant of an announcement that cannot be attributed to one."""


def announced_as(document: object, fallback_id: str) -> tuple[str, str]:
    """Return the tenant and the request id that a faulty request names. A tenant is never guessed."""
    if not isinstance(document, dict):
        return UNKNOWN, fallback_id
    tenant = document.get("tenant")
    named = "default" if tenant is None else valid_identifier_or(tenant, UNKNOWN)
    return named, valid_identifier_or(document.get("request_id"), fallback_id)


def resembles_request(document: object) -> bool:
    """Return whether a JSON value has any key of a request."""
    return isinstance(document, dict) and bool(document.keys() & ProvisioningRequest.model_fields.keys())


def parse_leniently(text: str) -> Any:
    """Return the JSON value, with no valid value under a key that occurs twice; None if it is not JSON."""
    try:
        return json.loads(text, object_pairs_hook=_without_guesses)
    except (ValueError, RecursionError):
        return None


def _without_guesses(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                document[name] = ...
            seen.add(name)
    return document
