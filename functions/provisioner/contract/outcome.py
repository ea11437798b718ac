"""The outcome: the final result of a provisioning request, in the ledger, in responses and in events."""

import hashlib
import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, Self

from provisioner.contract.errors import Problem
from provisioner.contract.request import Requester
from provisioner.contract.strict_model import OMITTED_IF_NULL, StrictModel


class Result(StrEnum):
    """The result of a request, or of one of its types or fields."""

    CREATED = "created"
    RECOVERED = "recovered"  # created by this request; the response was lost, and the type observed later
    UPDATED = "updated"  # it existed and was changed to match
    UNCHANGED = "unchanged"  # it existed and matched
    ADOPTED = "adopted"  # it existed, differs, and was left unchanged
    FAILED = "failed"
    UNRESOLVED = "unresolved"  # unknown; the operator must check in Close


class Difference(StrictModel):
    """A difference between the spec and the existing type or field.

    ``field`` is a key of the type, ``fields/<name>`` for a whole field, or ``fields/<name>/<key>``.
    """

    field: str
    desired: Any
    observed: Any


class Blocked(Difference):
    """A difference that only a destructive change could remove. ``reason`` names the loss."""

    reason: str

    @property
    def described(self) -> str:
        return f"Cannot change {self.field} from {self.observed!r} to {self.desired!r}: {self.reason}"


class FieldOutcome(StrictModel):
    """The result of one field of the spec. ``missing``: it does not exist, and the request does not add it."""

    name: str
    id: str | None = None
    result: Result | Literal["missing", "blocked"]


class TypeOutcome(StrictModel):
    """The result of one type of the request."""

    name: str
    id: str | None = OMITTED_IF_NULL
    result: Result
    custom_object_type: dict[str, Any] | None = OMITTED_IF_NULL
    """The type as Close returned it, without its fields."""
    omitted: tuple[str, ...] = ()  # keys of custom_object_type that are too large to show
    fields: tuple[FieldOutcome, ...] = ()
    steps: tuple[str, ...] = ()  # what this request did, in words
    differences: tuple[Difference, ...] = ()  # left alone
    blocked: tuple[Blocked, ...] = ()  # would have to destroy something: left alone
    renamed: str | None = OMITTED_IF_NULL
    """The type's present name in Close, if a person renamed it. Such a type is adopted and never written to."""
    other_matches: tuple[str, ...] = ()  # ids of further types by that name: the oldest was taken


class Outcome(StrictModel):
    """The result of a request: final, published, never changed."""

    tenant: str
    request_id: str
    result: Result
    types: tuple[TypeOutcome, ...] = ()
    note: str | None = OMITTED_IF_NULL  # the parts omitted to fit, and where to read them
    plan: dict[str, Any] | None = OMITTED_IF_NULL  # the new plan, if the request had the digest of an old one
    problem: Problem | None = OMITTED_IF_NULL
    attempts: int = 0
    settled_at: str
    observed_at: str | None = OMITTED_IF_NULL
    """When another request read in Close what this outcome says, if this one did not have to look itself."""
    entry_point: str | None = OMITTED_IF_NULL
    """The entry point of the request, and in ``requested_by`` its sender: see ``Requester``."""
    requested_by: str | None = OMITTED_IF_NULL

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a stored outcome. Keys of a newer version are ignored, so that it can be rolled back."""
        return cls.model_validate_json(text, extra="ignore")

    def to_json(self) -> str:
        """Return the outcome as JSON without null keys. A difference keeps its null: Close has no value there.

        The request's sender is left out: the ledger has it once, with the request.
        """
        document = self.model_dump(mode="json", exclude={"entry_point", "requested_by"})
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as a JSON object, without null keys."""
        return self.model_dump(mode="json")

    def asked_by(self, requester: Requester) -> Self:
        """Return the outcome with the request's entry point and sender."""
        if (self.entry_point, self.requested_by) == requester:
            return self
        return self.model_copy(update=requester._asdict())

    @property
    def succeeded(self) -> bool:
        return self.result not in {Result.FAILED, Result.UNRESOLVED}


def moment(now: float) -> str:
    """Return a time (Unix seconds) as outcomes show it."""
    return datetime.fromtimestamp(now, UTC).isoformat()


def type_key(tenant: str, request_id: str, natural_key: str, close_id: str) -> str:
    """Return the id of an event about one type of a request. It never equals a request key: no id contains a slash."""
    return hashlib.sha256(f"{tenant}/{request_id}/type/{natural_key}/{close_id}".encode()).hexdigest()[:32]


def message_key(message_id: str) -> str:
    """Return the id of the event about an invalid message. It never equals a request key."""
    return hashlib.sha256(f"//{message_id}".encode()).hexdigest()[:32]
