"""Sources: the upstream senders, one TOML file each in ``functions/sources/`` (docs/guides/add-a-sender.md).

infra/build/sources.py tests every file against its fixtures before it is deployed.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Self

from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from provisioner.contract.request import valid_identifier_or
from provisioner.ingest.mapping import AllowedTenants, EventMapping, Expression, RejectedShape, Source
from provisioner.ingest.schemes import SCHEMES, Scheme

FOLDER = Path(__file__).resolve().parents[2] / "sources"
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_NAME = 64
MAX_FAULTS = 3  # one mistake may cause a dozen
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")  # TOML requires quotes around any other


def _expression(value: Any) -> Expression:
    if not isinstance(value, str):
        raise ValueError("must be a JMESPath expression")  # noqa: TRY004 - pydantic takes ValueErrors
    try:
        return Expression(value)
    except JMESPathError as error:
        at = getattr(error, "lex_position", 0) + 1
        raise ValueError(f"is not a valid JMESPath expression (error at character {at}): {value}") from None


def _allowed_tenants(value: Any) -> AllowedTenants:
    names = value if isinstance(value, list) else []
    if not isinstance(value, str) and not names:
        raise ValueError("must be a regular expression or a list of tenants")
    if invalid := [each for each in names if not valid_identifier_or(each, "")]:
        raise ValueError(f"contains an invalid tenant id: {invalid[0]!r}")
    try:
        return AllowedTenants.of(value)
    except re.error as error:
        raise ValueError(f"is not a valid regular expression ({error}): {value}") from None


JmesPath = Annotated[Expression, PlainValidator(_expression)]
Tenants = Annotated[AllowedTenants, PlainValidator(_allowed_tenants)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Event(_File):
    when: JmesPath
    tenant: JmesPath
    blueprint: str | None = None
    values: dict[str, JmesPath] = {}
    custom_object_type: dict[str, Any] | None = None
    custom_object_types: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _requires_one_kind_of_spec(self) -> Self:
        if len(self.desired()) != 1:
            raise ValueError("requires exactly one of blueprint, custom_object_type and custom_object_types")
        if self.values and self.blueprint is None:
            raise ValueError("has values, which require a blueprint")
        return self

    def desired(self) -> dict[str, Any]:
        names = {"blueprint", "custom_object_type", "custom_object_types"}
        return self.model_dump(include=names, exclude_none=True)


class _Rejected(_File):
    when: JmesPath
    reason: Annotated[str, Field(min_length=1)]


class _Source(_File):
    scheme: str
    events: Annotated[dict[str, _Event], Field(min_length=1)]
    rejected: dict[str, _Rejected] = {}
    tenants: Tenants | None = None
    request_id: JmesPath | None = None
    kind: JmesPath = Expression("type")
    is_test: JmesPath | None = None
    takes_tests: bool = False
    tolerance_seconds: Annotated[float, Field(gt=0)] | None = None
    partner: Annotated[str, Field(pattern=r"^aws\.partner/[a-z0-9.-]+/$")] | None = None

    @model_validator(mode="after")
    def _fits_its_scheme(self) -> Self:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}")
        if self.tolerance_seconds is not None and SCHEMES[self.scheme].tolerance is None:
            raise ValueError(f"tolerance_seconds must be omitted: {self.scheme} has no timestamp")
        if self.request_id is not None and SCHEMES[self.scheme].signs_id:
            raise ValueError(f"request_id must be omitted: {self.scheme} signs the delivery id, which is used")
        if self.partner is not None and SCHEMES[self.scheme].signs_id:
            raise ValueError(f"partner must be omitted: events on a bus have no delivery id of {self.scheme}")
        return self


def parse_source(name: str, text: str) -> Source:
    """Return the source of a file. Raise ``ValueError`` with one line that names each wrong key."""
    document = tomllib.loads(text)
    try:
        file = _Source.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)[:MAX_FAULTS]
        raise ValueError("; ".join(_describe(each["loc"], each["type"], each["msg"]) for each in faults)) from None
    return Source(
        name=name,
        scheme=SCHEMES[file.scheme],
        events=tuple(
            EventMapping(event, each.when, each.tenant, each.desired(), each.values)
            for event, each in file.events.items()
        ),
        request_id=file.request_id or Expression("id"),
        kind=file.kind,
        is_test=file.is_test,
        takes_tests=file.takes_tests,
        tolerance=file.tolerance_seconds,
        partner=file.partner,
        rejected=tuple(RejectedShape(shape, each.when, each.reason) for shape, each in file.rejected.items()),
        tenants=file.tenants,
    )


def _describe(where: tuple[str | int, ...], sort: str, text: str) -> str:
    key = ".".join(str(step) if BARE_KEY.fullmatch(str(step)) else f'"{step}"' for step in where)
    match sort:
        case "missing":
            message = "is missing"
        case "extra_forbidden":
            message = f"is an unknown key; use one of {', '.join(_known_keys(where))}"
        case "model_type" | "dict_type":
            message = "must be a table"
        case _:
            message = re.sub("^(Value error, |Input |String |Dictionary )", "", text)
    return f"{key} {message}".strip()


def _known_keys(where: tuple[str | int, ...]) -> Iterable[str]:
    if len(where) == 1:
        return _Source.model_fields
    return (_Event if where[0] == "events" else _Rejected).model_fields


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a folder, each read at its first use."""

    folder: Path = FOLDER
    _read: dict[str, Source] = field(default_factory=dict)

    def find(self, name: str) -> Source | None:
        """Return the source of that name, or None. Raise ``ValueError`` if its file is invalid."""
        if name not in self._read:
            if len(name) > MAX_NAME or not NAME.fullmatch(name) or not (self.folder / f"{name}.toml").is_file():
                return None
            self._read[name] = parse_source(name, (self.folder / f"{name}.toml").read_text(encoding="utf-8"))
        return self._read[name]

    def scheme_of(self, name: str) -> Scheme:
        """Return the scheme of that source. Raise ``KeyError`` for an unknown source."""
        source = self.find(name)
        if source is None:
            raise KeyError(name)
        return source.scheme

    def of_partner(self, bus: str) -> Source | None:
        """Return the source that delivers to that partner event bus (``aws.partner/<partner>/…``)."""
        for name in self.names():
            source = self.find(name)
            if source and source.partner and bus.startswith(source.partner):
                return source
        return None

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.toml"))
