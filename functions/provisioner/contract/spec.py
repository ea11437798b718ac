"""The desired state: Custom Object Types with their fields, under Close's own rules.

A spec that Close cannot have is rejected here, with a pointer to the faulty key. Sources: developer.close.com, the
pages on Custom Object Types, Custom Fields and Shared Custom Fields.

All models are frozen and reject unknown keys. Omitted keys are neither sent to Close nor compared.
"""

from collections import Counter
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator

from provisioner.contract.strict_model import StrictModel
from provisioner.contract.text import (
    MAX_DESCRIPTION,
    MAX_NAME,
    clean_description,
    clean_name,
    natural_key,
    spelling_keys,
)

MAX_TYPES = 25
MAX_FIELDS = 200
MAX_SHARED_FIELDS = 50  # of a request: it leases each of them, and a DynamoDB transaction holds at most 100 items


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME), BeforeValidator(clean_name)
]
Roles = Annotated[tuple[Name, ...], Field(max_length=100)]
"""Ids or names of roles. An empty list means every role."""


class FieldType(StrEnum):
    """The types of fields that Close offers for Custom Object Types."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    CHOICES = "choices"
    USER = "user"
    CONTACT = "contact"
    CUSTOM_OBJECT = "custom_object"
    HIDDEN = "hidden"


MULTI_VALUE_TYPES = frozenset({FieldType.CHOICES, FieldType.USER, FieldType.CONTACT, FieldType.CUSTOM_OBJECT})


class FieldSpec(StrictModel):
    """One field of a type. ``shared``: a shared field of the organization, associated with the type."""

    name: Name
    type: FieldType
    shared: bool = False
    description: Annotated[str, StringConstraints(max_length=280), BeforeValidator(clean_description)] | None = None
    required: bool = False
    accepts_multiple_values: bool = False
    choices: Annotated[tuple[Name, ...], Field(max_length=500)] | None = Field(default=None, validate_default=True)
    editable_with_roles: Roles | None = None
    references: Name | None = Field(default=None, validate_default=True)
    """The name of another Custom Object Type of the organization, or of this request."""
    back_reference_is_visible: bool | None = None

    @property
    def natural_key(self) -> str:
        return natural_key(self.name)

    @property
    def reference_key(self) -> str | None:
        """The natural key of the type that the field refers to."""
        return natural_key(self.references) if self.references else None

    def desired(self) -> dict[str, Any]:
        """Return the given keys as JSON values, without ``shared``."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude={"shared"})

    @property
    def content(self) -> dict[str, Any]:
        """All that is desired of the field, the same however it is spelled."""
        return {**self.desired(), **({"shared": True} if self.shared else {})}

    @field_validator("type", mode="before")
    @classmethod
    def _is_offered(cls, value: Any) -> Any:
        if value == "textarea":
            raise ValueError("Close offers 'textarea' for Custom Activities only; use 'text'")
        return value

    @field_validator("shared")
    @classmethod
    def _can_be_shared(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("type") is FieldType.CUSTOM_OBJECT:
            raise ValueError("a field of type 'custom_object' cannot be shared")
        return value

    @field_validator("accepts_multiple_values")
    @classmethod
    def _may_be_several(cls, value: bool, info: ValidationInfo) -> bool:
        if value and (kind := info.data.get("type")) and kind not in MULTI_VALUE_TYPES:
            raise ValueError(
                f"Close allows several values only for {', '.join(sorted(MULTI_VALUE_TYPES))}, not for {kind}"
            )
        return value

    @field_validator("choices")
    @classmethod
    def _are_choices(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        _only_with(FieldType.CHOICES, value, info)
        if twice := _first_duplicate(spelling_keys(value or ())):
            raise ValueError(f"contains {twice!r} twice")
        return value

    @field_validator("references")
    @classmethod
    def _is_reference(cls, value: str | None, info: ValidationInfo) -> str | None:
        _only_with(FieldType.CUSTOM_OBJECT, value, info)
        return value

    @field_validator("back_reference_is_visible")
    @classmethod
    def _belongs_to_reference(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value is not None and info.data.get("type", FieldType.CUSTOM_OBJECT) is not FieldType.CUSTOM_OBJECT:
            raise ValueError("is allowed only for fields of type 'custom_object'")
        return value


def _only_with(desired: FieldType, value: object, info: ValidationInfo) -> None:
    """Require the key to be present and not empty for fields of that type, and absent for others."""
    kind = info.data.get("type")
    if kind is desired and not value:
        raise ValueError(f"is required for fields of type '{desired}'")
    if kind is not None and kind is not desired and value is not None:
        raise ValueError(f"is allowed only for fields of type '{desired}'")


class CustomObjectTypeSpec(StrictModel):
    """A desired Custom Object Type, with its fields in order."""

    name: Name
    name_plural: Name
    description: (
        Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION), BeforeValidator(clean_description)] | None
    ) = None
    api_create_only: bool = False
    editable_with_roles: Roles | None = None
    fields: Annotated[tuple[FieldSpec, ...], Field(max_length=MAX_FIELDS)] = ()

    @property
    def natural_key(self) -> str:
        return natural_key(self.name)

    def desired(self) -> dict[str, Any]:
        """Return the given keys of the type itself as JSON values: the body of the create."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude={"fields"})

    @property
    def content(self) -> dict[str, Any]:
        """All that is desired of the type and its fields, the same however it is spelled.

        A default that the caller gave is a part of it, because it is sent to Close and compared.
        """
        return {**self.desired(), **({"fields": [each.content for each in self.fields]} if self.fields else {})}

    @field_validator("fields")
    @classmethod
    def _names_differ(cls, value: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
        if twice := _first_duplicate(each.natural_key for each in value):
            raise ValueError(f"has two fields named {twice!r} (case, spacing and invisible characters are ignored)")
        return value


Types = Annotated[tuple[CustomObjectTypeSpec, ...], Field(min_length=1, max_length=MAX_TYPES)]


def validate_combination(types: tuple[CustomObjectTypeSpec, ...]) -> None:
    """Raise ``ValueError`` when the types of one request contradict each other."""
    if twice := _first_duplicate(each.natural_key for each in types):
        raise ValueError(f"two types are named {twice!r} (case, spacing and invisible characters are ignored)")
    shared: dict[str, dict[str, Any]] = {}
    for field in (field for each in types for field in each.fields if field.shared):
        desired = shared_field_desired(field)
        if shared.setdefault(field.natural_key, desired) != desired:
            raise ValueError(f"the shared field {field.name!r} has two different specs")
    if len(shared) > MAX_SHARED_FIELDS:
        raise ValueError(f"at most {MAX_SHARED_FIELDS} shared fields are allowed in one request")


ASSOCIATION_KEYS = frozenset({"required", "editable_with_roles"})
"""The keys that Close stores with the association of a shared field, for each type."""

MUTABLE_SHARED_KEYS = frozenset({"name", "choices"})
"""The keys of a shared field that Close documents as changeable."""


def shared_field_desired(field: FieldSpec) -> dict[str, Any]:
    """Return the keys of a shared field's spec that concern the field itself, not its association."""
    return {name: value for name, value in field.desired().items() if name not in ASSOCIATION_KEYS}


def _first_duplicate(names: Any) -> str | None:
    return next((name for name, number in Counter(names).items() if number > 1), None)
