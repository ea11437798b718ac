"""The provisioning request: what a caller asks for.

ProvisioningRequest ── tenant, request id, if_exists ── CustomObjectTypeSpec ── FieldSpec (spec.py)
"""

import hashlib
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from provisioner.contract.spec import CustomObjectTypeSpec, Name, Types, validate_combination
from provisioner.contract.strict_model import StrictModel

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
    """What to do when the organization already has a type by that name."""

    ADOPT = "adopt"
    UPDATE = "update"
    FAIL = "fail"


class ProvisioningRequest(StrictModel):
    """One request: these types shall exist in that tenant's Close organization.

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
        validate_combination(self.types)
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
        omitted = {"request_id", "wait_for_tenant", *({"custom_object_types"} if self.blueprint else set())}
        content = self.model_dump(mode="json", exclude=omitted, exclude_none=True, exclude_defaults=True)
        return hashlib.sha256(json.dumps({**content, "tenant": self.tenant}, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The request as its caller gave it, in ASCII: keys left out stay left out."""
        return json.dumps(self.model_dump(mode="json", exclude_unset=True))


def request_key(tenant: str, request_id: str) -> str:
    """The first 32 hex digits of ``printf tenant/request_id | sha256sum``: neither part may hold a slash."""
    return hashlib.sha256(f"{tenant}/{request_id}".encode()).hexdigest()[:32]


def valid_identifier_or(value: object, fallback: str) -> str:
    """The value if it can name a tenant or a request, else the fallback."""
    return value if isinstance(value, str) and re.fullmatch(IDENTIFIER_PATTERN, value) else fallback
