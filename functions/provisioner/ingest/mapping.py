"""Map a sender's event to a request, by JMESPath expressions over its signed body. Pure.

    body ──► a test? ──► which event of the source? ──► tenant, request id, values ──► the body of a request
                              └── a known signup in a shape that holds too little ──► rejected

The tenant and the kind of the event come from the body only, never from headers that are not signed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import jmespath
from jmespath.exceptions import JMESPathError

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import valid_identifier_or
from provisioner.ingest.schemes import Scheme

MAX_SHOWN = 100  # characters of a sender's text in a response or a log line


@dataclass(frozen=True, slots=True)
class Expression:
    """One JMESPath expression. Making an invalid one raises ``jmespath.exceptions.ParseError``, a ``ValueError``."""

    text: str
    _parsed: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", jmespath.compile(self.text))

    def of(self, event: Mapping[str, Any]) -> Any:
        """Return its value in the event, or None if it is absent or a function gets the wrong type."""
        try:
            return self._parsed.search(event)
        except JMESPathError:
            return None


@dataclass(frozen=True, slots=True)
class EventMapping:
    """One kind of event that maps to a request. ``name`` is for people."""

    name: str
    when: Expression
    tenant: Expression
    desired: Mapping[str, Any]
    """The constant part of the request: the name of a blueprint, or a spec."""
    values: Mapping[str, Expression] = field(default_factory=dict)
    """The values of the blueprint."""


@dataclass(frozen=True, slots=True)
class RejectedShape:
    """A signup in a shape that maps to no request. It is rejected with the reason, since ignoring it would lose it."""

    name: str
    when: Expression
    reason: str


@dataclass(frozen=True, slots=True)
class AllowedTenants:
    """The tenants that a source may name: a regular expression for the whole id, or a list of ids."""

    text: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, allowed: str | list[str]) -> Self:
        """Return the restriction. Raise ``re.error`` for an invalid regular expression."""
        if isinstance(allowed, str):
            return cls(allowed, re.compile(allowed))
        return cls(", ".join(allowed), re.compile("|".join(map(re.escape, allowed))))

    def allows(self, tenant: str) -> bool:
        return self.pattern.fullmatch(tenant) is not None


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream sender: its signature scheme and its mapping."""

    name: str
    scheme: Scheme
    events: tuple[EventMapping, ...]
    request_id: Expression
    kind: Expression
    is_test: Expression | None = None
    takes_tests: bool = False
    tolerance: float | None = None
    partner: str | None = None
    """The prefix of its partner event buses on EventBridge, if it also delivers there."""
    rejected: tuple[RejectedShape, ...] = ()
    tenants: AllowedTenants | None = None
    """The tenants that its events may name; None: any."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A genuine event that does not map to a request."""

    reason: str


def to_request(source: Source, event: Mapping[str, Any], delivery_id: str | None) -> dict[str, Any] | Ignored:
    """Return the body of the request that the event maps to.

    Raise ``Rejected`` (INVALID_EVENT) without an id, without a tenant that the source may name, or in a rejected shape.
    ``delivery_id``: the id of the delivery, if it is signed. It then identifies the event.
    """
    if source.is_test and not source.takes_tests and source.is_test.of(event) is True:
        return Ignored("test events of this source are ignored")
    mapping = next((each for each in source.events if each.when.of(event) is True), None)
    if mapping is None:
        return _unmapped(source, event)
    request_id = event_id(source, event, delivery_id)
    if request_id is None:
        raise Rejected(ProblemType.INVALID_EVENT, f"The event has no id: {source.request_id.text} is empty.")
    request = {
        "tenant": _tenant(source, mapping, event),
        "request_id": request_id,
        "if_exists": "adopt",
        "wait_for_tenant": True,  # a signup may come before its key is stored
        **mapping.desired,
    }
    values = {name: expression.of(event) for name, expression in mapping.values.items()}
    if mapping.values:
        request["values"] = {name: value for name, value in values.items() if value is not None}
    return request


def _unmapped(source: Source, event: Mapping[str, Any]) -> Ignored:
    kind = _shown(source.kind.of(event))
    shape = next((each for each in source.rejected if each.when.of(event) is True), None)
    if shape is not None:
        raise Rejected(ProblemType.INVALID_EVENT, f"{kind} cannot be mapped to a request. {shape.reason}")
    return Ignored(f"{kind} is not mapped to a request")


def _tenant(source: Source, mapping: EventMapping, event: Mapping[str, Any]) -> str:
    found = _text(mapping.tenant.of(event))
    if not valid_identifier_or(found, ""):
        problem = "is empty" if found is None else "is not a valid tenant id"
        raise Rejected(ProblemType.INVALID_EVENT, f"The event has no tenant: {mapping.tenant.text} {problem}.")
    tenant = str(found)
    if source.tenants and not source.tenants.allows(tenant):
        detail = f"The source {source.name} may not name the tenant {tenant!r}: its file allows {source.tenants.text}."
        raise Rejected(ProblemType.INVALID_EVENT, detail)
    return tenant


def event_id(source: Source, event: Mapping[str, Any], delivery_id: str | None) -> str | None:
    """Return the id of the event, so that a redelivery is the same request. Hash it if it is not a valid request id."""
    found = delivery_id or _text(source.request_id.of(event))
    return (
        valid_identifier_or(found, hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest())
        if found
        else None
    )


def _text(value: Any) -> str | None:
    """Return a string or an integer as a string: some senders use numeric ids."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _shown(kind: Any) -> str:
    text = _text(kind)
    return repr(text[:MAX_SHOWN]) if text is not None else "the event"
