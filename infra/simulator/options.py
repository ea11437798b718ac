"""Options for the questions that Close's documentation leaves open. Defaults follow it, or are the likeliest answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

DuplicateRule = Literal["accepted", "field_errors", "errors"]
RateLimitHeader = Literal[
    "commas", "commas_decimal", "semicolons", "semicolons_decimal", "separate", "legacy", "ietf", "absent"
]
RetryAfter = Literal["seconds", "date", "absent"]
TooManyBody = Literal["error", "legacy", "object", "empty"]


@dataclass(frozen=True, slots=True)
class Options:
    """The behavior of the simulated Close. Durations are in seconds.

    Options apply to all organizations. An organization may have its own value for any of them.
    """

    # --- success

    create_status: Literal[201, 200] = 201
    """Status of a successful create. Newer resources document 201, older ones 200."""
    location: Literal["absolute", "relative", "absent"] = "absolute"
    """The Location header of a successful create."""
    delete_answer: Literal["204", "200_object", "200_empty"] = "204"
    """The response to the deletion of a type: 204, 200 with ``{}``, or 200 without a body."""
    field_delete_answer: Literal["204", "200_object", "200_empty"] = "204"
    """The same for a custom field, for which the documentation contradicts itself."""
    list_envelope: Literal["data", "has_more", "cursor"] = "data"
    """The key beside ``data`` in the lists of types and of their fields."""
    list_order: Literal["oldest_first", "newest_first"] = "oldest_first"
    """The order of those lists."""
    archived_listed: bool = True
    """Whether the list shows archived types."""
    is_archived_shown: Literal["when_archived", "always", "never"] = "when_archived"
    """Whether a type has ``is_archived``. In published samples, types that are not archived do not."""
    description_when_omitted: Literal["null", "empty"] = "null"
    """The value of a description that was never given."""
    roles_when_omitted: Literal["empty", "null"] = "empty"
    """The value of ``editable_with_roles`` if it was never given."""
    nested_fields: Literal["full", "bare"] = "full"
    """Whether entries of ``fields`` have choices, is_shared and referenced_custom_type_id."""
    dates: Literal["naive", "offset", "naive_seconds", "offset_seconds"] = "naive"
    """Date strings: with or without ``+00:00``, with microseconds or with whole seconds."""
    date_updated_changes: bool = True
    """Whether a PUT changes ``date_updated``."""

    # --- names and bodies

    duplicate_names: DuplicateRule = "accepted"
    """A type with the name of another type: accepted, or rejected with 400 in one of two shapes."""
    duplicate_plural_names: DuplicateRule = "accepted"
    """The same for ``name_plural``."""
    duplicate_field_names: DuplicateRule = "accepted"
    """The same for two fields of one type."""
    names_compared: Literal["exact", "folded"] = "folded"
    """Which names are the same: equal ones only, or also those that differ in case and outer spaces."""
    names_trimmed: bool = False
    """Whether outer spaces of a name are removed before it is stored."""
    blank_names: Literal["refused", "accepted"] = "refused"
    """The handling of an empty name, and of one that consists of spaces."""
    name_max_length: int | None = None
    """The longest accepted name, in characters."""
    unknown_keys: Literal["ignored", "refused"] = "ignored"
    """The handling of keys that the resource does not have. Read-only keys are always ignored."""
    unknown_roles: Literal["accepted", "dropped", "refused"] = "accepted"
    """The handling of unknown role ids in ``editable_with_roles``."""
    delete_of_referenced_type: Literal["cascades", "refused"] = "cascades"
    """The deletion of a type that fields of other types reference."""

    # --- rejections

    validation_body: Literal["field_errors", "field_errors_only", "errors", "error", "text"] = "field_errors"
    """The shape of a 400 about a field."""
    validation_dialect: Literal["pydantic", "cleancat"] = "pydantic"
    """The library of Close's servers whose sentences are used."""
    validation_values: Literal["string", "list", "nested"] = "string"
    """The kind of the values of ``field-errors``."""
    wrong_content_type: Literal[400, 415] = 400
    """Status for another Content-Type than JSON: Close's library returns 400, its documentation says 415."""
    slashless: Literal["301", "308", "404", "served"] = "301"
    """The handling of a known path without its trailing slash."""
    permission_failure: Literal[403, 401] = 403
    """Status if the role may not customize. 403 is documented, Close's library returns 401."""
    permission_body: Literal["error", "text"] = "error"
    """Body of that response: JSON, or plain text."""
    plan_failure: Literal[402, 403, 404] = 402
    """Status if the organization's plan has no custom objects."""
    plan_failure_on: Literal["writes", "everything"] = "writes"
    """The requests that are rejected if the plan has no custom objects."""
    type_limit_failure: Literal[402, 400, 403] = 402
    """Status if the organization has as many types, or fields, as its plan allows."""
    roles_readable: Literal["by_all", "by_administrators"] = "by_all"
    """The users who may list the roles. Others get the response to a missing permission."""
    foreign_id: Literal[404, 403] = 404
    """Status for the id of another organization's object."""
    www_authenticate: bool = False
    """Whether a 401 has the header WWW-Authenticate."""

    # --- rate limits

    rate_limit_header: RateLimitHeader = "commas"
    """The spelling of the rate-limit header: ``commas`` is documented, ``semicolons`` and ``absent`` were seen."""
    retry_after: RetryAfter = "seconds"
    """The spelling of Retry-After on a 429."""
    too_many_body: TooManyBody = "error"
    """Body of a 429. ``legacy`` has the numbers in an object under ``error``."""

    # --- time

    list_lag_seconds: float = 0
    """How long lists do not show a new type, field, shared field or association."""
    get_lag_seconds: float = 0
    """How long GET of a new type returns 404."""
    delete_lag_seconds: float = 0
    """How long a deleted type is still listed and readable."""
    latency_seconds: float = 0
    """The shortest time that a response takes."""
    date_ahead_seconds: float = 0
    """How far the clock that the header Date shows is ahead."""
    date_behind_seconds: float = 0
    """How far it is behind."""

    # --- OAuth

    token_lifetime_seconds: int = 3600
    """``expires_in`` of an access token."""
    refresh_grace_seconds: float = 0
    """How long a refresh token still works after it was exchanged."""
    refresh_answers_with_refresh_token: bool = True
    """Whether a refresh returns the next refresh token."""

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return a copy with these changes. Raises ``ValueError`` for an unknown name or value."""
        if not changes:  # as for most requests: a copy would cost more than the rest of this method
            return self
        hints = _hints()
        for name, value in changes.items():
            if name not in hints:
                raise ValueError(f"unknown option {name!r}; known: {', '.join(sorted(hints))}")
            if not _fits(value, hints[name]):
                raise ValueError(f"option {name!r} must be {_described(hints[name])}, not {value!r}")
        changed_values: Mapping[str, Any] = changes
        return replace(self, **changed_values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def choices(cls) -> dict[str, str]:
        """Return the possible values of each option, as text."""
        hints = _hints()
        return {field.name: _described(hints[field.name]) for field in fields(cls)}


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Options)


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return any(value == option and type(value) is type(option) for option in get_args(hint))
    if isinstance(hint, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if hint is NoneType:
        return value is None
    if hint is bool:
        return isinstance(value, bool)
    number = isinstance(value, int if hint is int else (int, float)) and not isinstance(value, bool)
    return number and float(str(value)) >= 0


def _described(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " | ".join(repr(option) for option in get_args(hint))
    if isinstance(hint, UnionType):
        return " | ".join(_described(option) for option in get_args(hint))
    return "None" if hint is NoneType else {bool: "True | False", int: "a whole number"}.get(hint, "a number")
