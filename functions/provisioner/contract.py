"""The words of the service: what a caller asks, and what everybody hears of it.

    ProvisioningRequest ── tenant, request id, if_exists ── CustomObjectTypeSpec ── FieldSpec (spec.py)
    Outcome ── result, what became of each type and field | Problem

All models are frozen and refuse unknown keys. What Close says has words of its own: close_words.py.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from provisioner.spec import CustomObjectTypeSpec, Name, Types, Words, check_together

MAX_BODY_BYTES = 262_144
"""The largest request taken, in bytes: what an SQS message could hold when the service was designed (256 KiB)."""

MAX_POINTER = 300
"""How much is shown of a pointer into a body: its caller may choose keys of any length."""

# Tenants name secrets and request ids name ledger items, so neither may hold anything that needs escaping.
IDENTIFIER_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN)]
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
BLUEPRINT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
Value = Name | Annotated[tuple[Name, ...], Field(min_length=1, max_length=500)]


class IfExists(StrEnum):
    """What to do when the organisation already has a type by that name."""

    ADOPT = "adopt"
    UPDATE = "update"
    FAIL = "fail"


class Result(StrEnum):
    """What became of a request, or of one type or field of it."""

    CREATED = "created"
    RECOVERED = "recovered"  # created by this request, whose answer got lost
    UPDATED = "updated"  # it existed, and was changed to match
    UNCHANGED = "unchanged"  # it existed and matched
    ADOPTED = "adopted"  # it existed, differs, and was taken as it is
    FAILED = "failed"
    UNRESOLVED = "unresolved"  # we do not know; a person must look


class ProvisioningRequest(Words):
    """One request: these types shall exist in that tenant's Close organisation.

    It names them by one of ``custom_object_type``, ``custom_object_types`` and ``blueprint``. A blueprint together with
    types is one that was filled in already: on its way between our own doors it stays what it was when it was accepted.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in ("custom_object_type", "custom_object_types", "blueprint")]
        }
    )

    tenant: Identifier = "default"
    request_id: Identifier
    if_exists: IfExists = IfExists.ADOPT
    wait_for_tenant: bool = False
    """Whether to wait for a tenant that has no credential here yet, where it would fail otherwise."""
    custom_object_type: CustomObjectTypeSpec | None = None
    custom_object_types: Types | None = None
    blueprint: Annotated[str, StringConstraints(pattern=BLUEPRINT_PATTERN)] | None = None
    values: Annotated[Mapping[str, Value], Field(max_length=100)] | None = None
    """What fills the blueprint's placeholders."""
    allow_partial: bool = False
    """With if_exists 'update': do what can be done, although something else is blocked."""
    plan_digest: Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)] | None = None
    """Of a plan: the request is carried out only if Close still looks as it did then."""

    @model_validator(mode="after")
    def _names_its_types(self) -> Self:
        given = [name for name in ("custom_object_type", "custom_object_types", "blueprint") if getattr(self, name)]
        if len(given) != 1 and given != ["custom_object_types", "blueprint"]:
            raise ValueError("takes exactly one of custom_object_type, custom_object_types and blueprint")
        if self.values is not None and self.blueprint is None:
            raise ValueError("values are for a blueprint")
        check_together(self.types)
        return self

    @property
    def types(self) -> tuple[CustomObjectTypeSpec, ...]:
        """The types that it wants; none while its blueprint is not filled in."""
        return (self.custom_object_type,) if self.custom_object_type else self.custom_object_types or ()

    def pointer(self, type_index: int) -> str:
        """Where in the request's body one of its types stands (a JSON pointer)."""
        return "/custom_object_type" if self.custom_object_type else f"/custom_object_types/{type_index}"

    @property
    def id(self) -> str:
        """Names the request in URLs, ledger and events. Whoever knows tenant and request id can compute it."""
        return request_key(self.tenant, self.request_id)

    @property
    def fingerprint(self) -> str:
        """Equal for two requests that ask for the same thing, however they spell their defaults (SHA-256, hex).

        A blueprint counts by its name and values: what it holds may change between a request and its redelivery.
        """
        left_out = {"request_id", "wait_for_tenant", *({"custom_object_types"} if self.blueprint else set())}
        content = self.model_dump(mode="json", exclude=left_out, exclude_none=True, exclude_defaults=True)
        return hashlib.sha256(json.dumps({**content, "tenant": self.tenant}, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The request as its caller gave it, in ASCII: keys left out stay left out."""
        return json.dumps(self.model_dump(mode="json", exclude_unset=True))


def request_key(tenant: str, request_id: str) -> str:
    """The first 32 hex digits of ``printf tenant/request_id | sha256sum``: neither part may hold a slash."""
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()[:32]


def type_key(tenant: str, natural_key: str, close_id: str) -> str:
    """Names the event that tells of a type. No request key is made of the same text: tenants hold no slash."""
    return hashlib.sha256(f"{tenant}/type/{natural_key}/{close_id}".encode()).hexdigest()[:32]


def message_key(message_id: str) -> str:
    """Names what became of a message that is no request. No request key is made of the same text."""
    return hashlib.sha256(f"//{message_id}".encode()).hexdigest()[:32]


def identifier_or(value: object, fallback: str) -> str:
    """The value if it can name a tenant or a request, else the fallback."""
    return value if isinstance(value, str) and re.fullmatch(IDENTIFIER_PATTERN, value) else fallback


class Difference(Words):
    """One thing that Close has otherwise than the spec wants it, and that was left alone.

    ``field`` is a key of the type, ``fields/<name>`` for a whole field, or ``fields/<name>/<key>``.
    """

    field: str
    wanted: Any
    actual: Any


class Blocked(Difference):
    """A difference that only something destructive could end. ``why`` says what that would be."""

    why: str


class ErrorDetail(Words):
    """One fault of a body. ``pointer`` is a JSON pointer (RFC 6901) into the request's body, "" for the whole of it."""

    pointer: str
    detail: str


class Problem(Words):
    """Why a request failed: an RFC 9457 problem. ``type`` is stable, ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    close_status: int | None = None
    errors: tuple[ErrorDetail, ...] = ()


class FieldOutcome(Words):
    """What became of one field that the spec wants. ``missing``: it is not there, and was not to be added."""

    name: str
    id: str | None = None
    result: Result | Literal["missing", "blocked"]


class TypeOutcome(Words):
    """What became of one type that the request wants."""

    name: str
    id: str | None = None
    result: Result
    custom_object_type: dict[str, Any] | None = None
    """As Close returned it, without its fields."""
    left_out: tuple[str, ...] = ()  # keys of it that are too large to show
    fields: tuple[FieldOutcome, ...] = ()
    steps: tuple[str, ...] = ()  # what this request did, in words
    differences: tuple[Difference, ...] = ()  # left alone
    blocked: tuple[Blocked, ...] = ()  # would have to destroy something: left alone
    also_found: tuple[str, ...] = ()  # ids of further types by that name: the oldest was taken


class Outcome(Words):
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
