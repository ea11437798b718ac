"""The words of the service: what a caller asks, and what everybody hears of it.

    ProvisioningRequest ── tenant, request id, if_exists ── CustomObjectTypeSpec
    Outcome ── result, the type as Close returned it, differences | Problem
    CustomObjectType ── a type as Close returned it

All models are frozen. Requests refuse unknown keys; what Close returns may hold more than we know of.
"""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

MAX_BODY_BYTES = 262_144
"""The largest request taken, in bytes: what an SQS message could hold when the service was designed (256 KiB)."""

MAX_SHOWN_BYTES = 40_000
"""How much of a type an outcome shows, so that it fits an event and a ledger item with room to spare."""

# Tenants name secrets and request ids name ledger items, so neither may hold anything that needs escaping.
IDENTIFIER_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER_PATTERN)]


def natural_key(name: str) -> str:
    """What makes two names the same name: NFC, trimmed, inner spaces folded to one, case-folded.

    Case-folding may take a string out of NFC, hence the second normalisation.
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def _readable(text: str) -> str:
    categories = [unicodedata.category(character) for character in text]
    if any(category in {"Cc", "Cn", "Cs"} for category in categories):
        raise ValueError("must not hold control characters, or what is no character")
    if all(category[0] in "CZ" for category in categories):
        raise ValueError("must hold at least one visible character")
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_readable)]


class IfExists(StrEnum):
    """What to do when the organisation already has a type by that name."""

    ADOPT = "adopt"
    UPDATE = "update"
    FAIL = "fail"


class Result(StrEnum):
    """What became of a request."""

    CREATED = "created"
    RECOVERED = "recovered"  # created by this request, whose answer got lost
    UPDATED = "updated"
    UNCHANGED = "unchanged"  # it existed and matched
    ADOPTED = "adopted"  # it existed, differs, and was taken as it is
    FAILED = "failed"
    UNRESOLVED = "unresolved"  # we do not know; a person must look


class _Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CustomObjectTypeSpec(_Words):
    """The Custom Object Type that the caller wants. What is left out is neither sent to Close nor compared."""

    name: Name
    name_plural: Name
    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    api_create_only: bool = False
    editable_with_roles: (
        Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...], Field(max_length=100)]
        | None
    ) = None

    @property
    def natural_key(self) -> str:
        return natural_key(self.name)

    def wanted(self) -> dict[str, Any]:
        """The keys that the caller gave, as JSON values: the body of the create."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class ProvisioningRequest(_Words):
    """One request: this type shall exist in that tenant's Close organisation."""

    tenant: Identifier = "default"
    request_id: Identifier
    if_exists: IfExists = IfExists.ADOPT
    custom_object_type: CustomObjectTypeSpec

    @field_validator("if_exists")
    @classmethod
    def _is_supported(cls, value: IfExists) -> IfExists:
        if value is IfExists.UPDATE:
            raise ValueError("'update' is not supported yet; use 'adopt' or 'fail'")
        return value

    @property
    def id(self) -> str:
        """Names the request in URLs, ledger and events. Whoever knows tenant and request id can compute it."""
        return request_key(self.tenant, self.request_id)

    @property
    def fingerprint(self) -> str:
        """Equal for two requests that ask for the same thing, however they spell their defaults (SHA-256, hex)."""
        content = self.model_dump(mode="json", exclude={"request_id"}, exclude_none=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

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


class CustomObjectType(BaseModel):
    """A Custom Object Type as Close returned it. Keys that we do not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: Annotated[str, StringConstraints(min_length=1)]
    name: str
    organization_id: Any = None
    date_created: Any = None

    @property
    def natural_key(self) -> str:
        return natural_key(self.name)

    def shown(self) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The type as JSON values, and the keys left out of it, largest first, to keep it within MAX_SHOWN_BYTES."""
        shown = self.model_dump(mode="json")
        sizes = {key: len(json.dumps(value)) for key, value in shown.items() if key not in {"id", "name"}}
        left_out: list[str] = []
        while sum(sizes.values()) > MAX_SHOWN_BYTES:
            largest = max(sizes, key=lambda key: sizes[key])
            left_out.append(largest)
            del sizes[largest], shown[largest]
        return shown, tuple(left_out)


class Difference(_Words):
    """One thing that Close has otherwise than the spec wants it, and that was left alone."""

    field: str
    wanted: Any
    actual: Any


class ErrorDetail(_Words):
    """One fault of a body. ``pointer`` is a JSON pointer (RFC 6901) into the request's body, "" for the whole of it."""

    pointer: str
    detail: str


class Problem(_Words):
    """Why a request failed: an RFC 9457 problem. ``type`` is stable, ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    close_status: int | None = None
    errors: tuple[ErrorDetail, ...] = ()


class Outcome(_Words):
    """What became of a request: terminal, announced, never changed."""

    tenant: str
    request_id: str
    result: Result
    custom_object_type: dict[str, Any] | None = None
    left_out: tuple[str, ...] = ()  # keys of the type that are too large for an event
    differences: tuple[Difference, ...] = ()
    also_found: tuple[str, ...] = ()  # ids of further types by that name: the oldest was taken
    problem: Problem | None = None
    attempts: int = 0
    settled_at: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls.model_validate_json(text)

    def to_json(self) -> str:
        """What there is not is left out. But a difference's null stays: it says that Close has nothing there."""
        absent: dict[str, Any] = {name: True for name, value in self if value is None}
        if self.problem and self.problem.close_status is None:
            absent["problem"] = {"close_status"}
        return self.model_dump_json(exclude=absent)

    @property
    def succeeded(self) -> bool:
        return self.result not in {Result.FAILED, Result.UNRESOLVED}


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What opens a tenant's Close organisation. Its text shows nothing."""

    authorization: str  # the value of the header
    secret: str  # the key or token in it, to be struck out of whatever Close says
    organization_id: str | None = None  # the organisation that it must belong to

    def __repr__(self) -> str:
        return "Credential(…)"
