"""What request a sender's event means: JMESPath over the body that was signed, and nothing else. Pure.

    body ──► a test? ──► which of the source's events? ──► tenant, request id, values ──► a request's body

The tenant and the kind of the event come from the body alone: headers that no signature covers say neither.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.request import valid_identifier_or
from provisioner.ingest.schemes import Scheme

MAX_SHOWN = 100  # characters of a sender's text in an answer or a log line


@dataclass(frozen=True, slots=True)
class Expression:
    """One JMESPath expression. Making one of no sense raises ``jmespath.exceptions.ParseError``, a ``ValueError``."""

    text: str
    _parsed: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", jmespath.compile(self.text))

    def of(self, event: Mapping[str, Any]) -> Any:
        """What it finds in the event; None where it finds nothing, or something of another kind than it wants."""
        try:
            return self._parsed.search(event)
        except JMESPathError:
            return None


@dataclass(frozen=True, slots=True)
class EventMapping:
    """One kind of event that means a signup, and the request that it means. ``name`` is for people."""

    name: str
    when: Expression
    tenant: Expression
    desired: Mapping[str, Any]
    """What is the same for all of them: the blueprint's name, or the spec itself."""
    values: Mapping[str, Expression] = field(default_factory=dict)
    """The blueprint's values."""


@dataclass(frozen=True, slots=True)
class Source:
    """An upstream sender: how it signs, and what its events mean."""

    name: str
    scheme: Scheme
    events: tuple[EventMapping, ...]
    request_id: Expression
    kind: Expression
    is_test: Expression | None = None
    takes_tests: bool = False
    tolerance: float | None = None
    partner: str | None = None
    """What the names of its partner buses at EventBridge begin with, where it delivers there, too."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event is the sender's, and means no signup."""

    reason: str


def to_request(source: Source, event: Mapping[str, Any], delivery_id: str | None) -> dict[str, Any] | Ignored:
    """The body of the request that the event means. Raises ``Refused`` (EVENT_BROKEN) when it does not say for whom.

    ``delivery_id``: the delivery's, where it is signed: it is the event's own then.
    """
    if source.is_test and not source.takes_tests and source.is_test.of(event) is True:
        return Ignored("it is a test event, and this source takes none")
    mapping = next((each for each in source.events if each.when.of(event) is True), None)
    if mapping is None:
        return Ignored(f"{_shown(source.kind.of(event))} is no event that provisions anything here")
    request_id = event_id(source, event, delivery_id)
    if request_id is None:
        raise Rejected(ProblemType.INVALID_EVENT, f"The event has no id: {source.request_id.text} finds nothing.")
    request = {
        "tenant": _tenant(mapping, event),
        "request_id": request_id,
        "if_exists": "adopt",
        "wait_for_tenant": True,  # a signup may come before its key is stored
        **mapping.desired,
    }
    values = {name: expression.of(event) for name, expression in mapping.values.items()}
    if mapping.values:
        request["values"] = {name: value for name, value in values.items() if value is not None}
    return request


def _tenant(mapping: EventMapping, event: Mapping[str, Any]) -> str:
    found = _text(mapping.tenant.of(event))
    if not valid_identifier_or(found, ""):
        reason = f"{mapping.tenant.text} finds {'nothing' if found is None else 'what no tenant can be named'}"
        raise Rejected(ProblemType.INVALID_EVENT, f"The event names no tenant: {reason}.")
    return str(found)


def event_id(source: Source, event: Mapping[str, Any], delivery_id: str | None) -> str | None:
    """The event's own id, so that a redelivery is the same request; hashed where it cannot be an id here as it is."""
    found = delivery_id or _text(source.request_id.of(event))
    return (
        valid_identifier_or(found, hashlib.sha256(found.encode("utf-8", "surrogatepass")).hexdigest())
        if found
        else None
    )


def _text(value: Any) -> str | None:
    """Some senders number what others name."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _shown(kind: Any) -> str:
    text = _text(kind)
    return repr(text[:MAX_SHOWN]) if text is not None else "this"
