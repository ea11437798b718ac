"""The outcome: the final result of a provisioning request, as it is stored, answered and published."""

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from provisioner.contract.errors import Problem
from provisioner.contract.strict_model import StrictModel


class Result(StrEnum):
    """What became of a request, or of one type or field of it."""

    CREATED = "created"
    RECOVERED = "recovered"  # created by this request, whose answer got lost
    UPDATED = "updated"  # it existed, and was changed to match
    UNCHANGED = "unchanged"  # it existed and matched
    ADOPTED = "adopted"  # it existed, differs, and was taken as it is
    FAILED = "failed"
    UNRESOLVED = "unresolved"  # we do not know; a person must look


class Difference(StrictModel):
    """One thing that Close has otherwise than the spec wants it, and that was left alone.

    ``field`` is a key of the type, ``fields/<name>`` for a whole field, or ``fields/<name>/<key>``.
    """

    field: str
    desired: Any
    observed: Any


class Blocked(Difference):
    """A difference that only something destructive could end. ``reason`` says what that would be."""

    reason: str


class FieldOutcome(StrictModel):
    """What became of one field that the spec wants. ``missing``: it is not there, and was not to be added."""

    name: str
    id: str | None = None
    result: Result | Literal["missing", "blocked"]


class TypeOutcome(StrictModel):
    """What became of one type that the request wants."""

    name: str
    id: str | None = None
    result: Result
    custom_object_type: dict[str, Any] | None = None
    """As Close returned it, without its fields."""
    omitted: tuple[str, ...] = ()  # keys of it that are too large to show
    fields: tuple[FieldOutcome, ...] = ()
    steps: tuple[str, ...] = ()  # what this request did, in words
    differences: tuple[Difference, ...] = ()  # left alone
    blocked: tuple[Blocked, ...] = ()  # would have to destroy something: left alone
    other_matches: tuple[str, ...] = ()  # ids of further types by that name: the oldest was taken


class Outcome(StrictModel):
    """What became of a request: terminal, announced, never changed."""

    tenant: str
    request_id: str
    result: Result
    types: tuple[TypeOutcome, ...] = ()
    note: str | None = None  # what was left out of it for want of room, and where it can be read
    plan: dict[str, Any] | None = None  # the new plan, where the request came with the digest of an old one
    problem: Problem | None = None
    attempts: int = 0
    settled_at: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls.model_validate_json(text)

    def to_json(self) -> str:
        """What there is not is left out. But a difference's null stays: it says that Close has nothing there."""
        return json.dumps(self.shown(), ensure_ascii=False)

    def shown(self) -> dict[str, Any]:
        """As a JSON object."""
        whole = self.model_dump(mode="json")
        shown = {**whole, "types": [_without_none(each) for each in whole["types"]]}
        if self.problem:
            shown["problem"] = _without_none(whole["problem"])
        return _without_none(shown)

    @property
    def succeeded(self) -> bool:
        return self.result not in {Result.FAILED, Result.UNRESOLVED}


def _without_none(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None}


def type_key(tenant: str, natural_key: str, close_id: str) -> str:
    """Names the event that tells of a type. No request key is made of the same text: tenants hold no slash."""
    return hashlib.sha256(f"{tenant}/type/{natural_key}/{close_id}".encode()).hexdigest()[:32]


def message_key(message_id: str) -> str:
    """Names what became of a message that is no request. No request key is made of the same text."""
    return hashlib.sha256(f"//{message_id}".encode()).hexdigest()[:32]
