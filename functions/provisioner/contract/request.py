"""The provisioning request.

ProvisioningRequest ── tenant, request id, if_exists ── CustomObjectTypeSpec ── FieldSpec (spec.py)
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, LiteralString, NamedTuple, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from provisioner.contract.spec import CustomObjectTypeSpec, Name, Types, validate_combination
from provisioner.contract.strict_model import StrictModel

MAX_LABEL = 80  # characters of a request's label
MAX_REQUESTED_BY = 256
MAX_BODY_BYTES = 262_144
"""The largest request, in bytes: the size limit of an SQS message when the service was designed (256 KiB)."""

MAX_POINTER = 300
"""The characters shown of a pointer into a body, whose keys may be of any length."""

# Tenants name secrets and request ids name ledger items, so neither may contain characters that need escaping.
IDENTIFIER_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
BLUEPRINT_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"


def _matching(pattern: str, message: LiteralString) -> AfterValidator:
    """Return a validator that describes the pattern in words."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("pattern", message)
        return value

    return AfterValidator(check)


Identifier = Annotated[
    str,
    Field(json_schema_extra={"pattern": IDENTIFIER_PATTERN}),
    _matching(IDENTIFIER_PATTERN, "must be 1-128 characters: A-Z a-z 0-9 . _ : -"),
]
BlueprintName = Annotated[
    str,
    Field(json_schema_extra={"pattern": BLUEPRINT_PATTERN}),
    _matching(BLUEPRINT_PATTERN, "must be 1-64 characters: a-z 0-9 -, not beginning with a hyphen"),
]
PlanDigest = Annotated[
    str,
    Field(json_schema_extra={"pattern": DIGEST_PATTERN}),
    _matching(DIGEST_PATTERN, "must be the digest of a plan: 64 characters 0-9 a-f"),
]
Value = Name | Annotated[tuple[Name, ...], Field(min_length=1, max_length=500)]


class IfExists(StrEnum):
    """The action on a type whose name exists already in the organization."""

    ADOPT = "adopt"
    UPDATE = "update"
    FAIL = "fail"


class ProvisioningRequest(StrictModel):
    """One request: these types must exist in that tenant's Close organization.

    The types are given by one of ``custom_object_type``, ``custom_object_types`` and ``blueprint``. A blueprint with
    types is already expanded: messages between functions keep the types of the accepted request.
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
    """Whether to wait for a tenant that has no credential yet, instead of failing."""
    custom_object_type: CustomObjectTypeSpec | None = None
    custom_object_types: Types | None = None
    blueprint: BlueprintName | None = None
    values: Annotated[Mapping[str, Value], Field(max_length=100)] | None = None
    """The values of the blueprint's placeholders."""
    allow_partial: bool = False
    """With if_exists 'update': apply every other change even if some are blocked."""
    plan_digest: PlanDigest | None = None
    """The digest of a plan: the request is executed only if its plan is still the same."""

    @model_validator(mode="after")
    def _names_its_types(self) -> Self:
        given = [name for name in ("custom_object_type", "custom_object_types", "blueprint") if getattr(self, name)]
        if len(given) != 1 and given != ["custom_object_types", "blueprint"]:
            raise ValueError("must have exactly one of custom_object_type, custom_object_types and blueprint")
        if self.values is not None and self.blueprint is None:
            raise ValueError("values are allowed only with a blueprint")
        validate_combination(self.types)
        return self

    @property
    def types(self) -> tuple[CustomObjectTypeSpec, ...]:
        """The desired types; empty until the blueprint is expanded."""
        return (self.custom_object_type,) if self.custom_object_type else self.custom_object_types or ()

    @property
    def label(self) -> str:
        """The blueprint, or the names of the types, for lists of requests."""
        return self.blueprint or ", ".join(each.name for each in self.types)[:MAX_LABEL]

    def pointer(self, type_index: int) -> str:
        """Return the JSON pointer to one of the types in the request's body."""
        return "/custom_object_type" if self.custom_object_type else f"/custom_object_types/{type_index}"

    @property
    def may_wait_for_tenant(self) -> bool:
        """Whether it waits for a missing credential. A tenant with a colon never gets one: no secret's name has any."""
        return self.wait_for_tenant and ":" not in self.tenant

    def existing_pointer(self, pointer: str) -> str:
        """Return the pointer, cut where the caller's body ends. The types of a blueprint are not in that body."""
        if self.blueprint and pointer.startswith("/custom_object_types"):
            return "/blueprint"
        node: Any = self.model_dump(mode="json", exclude_unset=True)
        existing = ""
        for step in pointer.split("/")[1:]:
            key: Any = int(step) if isinstance(node, list) and step.isdecimal() else step
            try:
                node = node[key.replace("~1", "/").replace("~0", "~") if isinstance(key, str) else key]
            except (KeyError, IndexError, TypeError):
                break
            existing += f"/{step}"
        return existing

    @property
    def id(self) -> str:
        """The key of the request in URLs, ledger and events, computed from tenant and request id."""
        return request_key(self.tenant, self.request_id)

    @property
    def fingerprint(self) -> str:
        """A hash of the content (SHA-256, hex), the same with and without explicit defaults of the request's own keys.

        A blueprint counts by name and values, because its types may change between a request and its redelivery.
        """
        omitted = {"request_id", "wait_for_tenant", "custom_object_type", "custom_object_types"}
        content = self.model_dump(mode="json", exclude=omitted, exclude_none=True, exclude_defaults=True)
        return _hash({**content, **self._types_content, "tenant": self.tenant})

    @property
    def _types_content(self) -> dict[str, Any]:
        """The desired types as the caller gave them: alone, in a list, or by a blueprint."""
        if self.blueprint:
            return {}
        if self.custom_object_type:
            return {"custom_object_type": self.custom_object_type.content}
        return {"custom_object_types": [each.content for each in self.types]}

    @property
    def desired_fingerprint(self) -> str:
        """A hash of all that decides a request's outcome beside the state of Close, its tenant included."""
        return _hash([self.tenant, self.if_exists, self.allow_partial, [each.content for each in self.types]])

    def to_json(self) -> str:
        """Return the request as JSON in ASCII, without the keys that the caller omitted."""
        return json.dumps(self.model_dump(mode="json", exclude_unset=True), separators=(",", ":"))


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Requester(NamedTuple):
    """The entry point of a request, and the party that sent it, as far as AWS or a signature proves it.

    ``entry_point``: http, webhook, queue or eventbridge. ``requested_by``: the IAM principal, ``source:<name>`` of a
    signed event, the sender of the message (SQS), or ``event:<source>`` of an event (EventBridge), whose sender chose
    its source.
    """

    entry_point: str | None = None
    requested_by: str | None = None

    def shortened(self) -> "Requester":
        """Return it with as much of its name as a list shows. AWS's own names are shorter."""
        return Requester(self.entry_point, self.requested_by and self.requested_by[:MAX_REQUESTED_BY])


UNKNOWN_REQUESTER = Requester()


def request_key(tenant: str, request_id: str) -> str:
    """Return the first 32 hex digits of ``printf tenant/request_id | sha256sum``. Neither part contains a slash."""
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()[:32]


def valid_identifier_or(value: object, fallback: str) -> str:
    """Return the value if it is a valid tenant or request id, else the fallback."""
    return value if isinstance(value, str) and re.fullmatch(IDENTIFIER_PATTERN, value) else fallback
