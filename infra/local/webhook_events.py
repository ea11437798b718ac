"""Webhook senders for a stack on this machine: their secrets, and their events, signed as they would sign them."""

import base64
import copy
import json
import re
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import infra.functions_path  # noqa: F401
from infra.build.sources import Unmapped, check
from infra.local.emulator import LocalAws
from infra.local.errors import StartupError
from infra.local.signing import signed_headers
from provisioner.ingest.mapping import EventMapping, Expression, Source
from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.sources import FOLDER, Sources

LITERALS = re.compile(r"'[^']*'")
PATHS = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?![\w.(\[])")
"""The plain paths (``data.object.id``) of a JMESPath expression without its string literals."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Body and headers of one delivery, without the headers that any HTTP client adds."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a sender. Each delivery has a new signature."""

    source: Source
    document: Mapping[str, Any]
    delivery_id: str

    @classmethod
    def of(cls, source: str, name: str, tenant: str | None = None, *, folder: Path = FOLDER) -> "Event":
        """Return a new event, made from the fixture of that name, for that tenant.

        Raises:
            LookupError: the source or the event is unknown, or the fixture has no place for the tenant or the id.
        """
        found = Sources(folder).find(source)
        if found is None:
            raise LookupError(f"Unknown source {source!r}. Known: {', '.join(Sources(folder).names())}")
        mapping = next((each for each in found.events if each.name == name), None)
        if mapping is None:
            names = ", ".join(each.name for each in found.events)
            raise LookupError(f"Unknown event {name!r} of {source}. Known: {names}")
        document = json.loads((folder / "fixtures" / source / f"{name}.json").read_bytes())
        unique = uuid.uuid4().hex
        if not found.scheme.signs_id:
            document = _with(document, f"evt_{unique}", found.request_id, mapping)
        if tenant is not None:
            document = _with(document, tenant, mapping.tenant, mapping)
        return cls(found, document, f"msg_{unique}")

    def sent(self, signing: Sequence[str], *, now: float | None = None) -> Sent:
        """Return the signed delivery. ``signing``: the active secrets. ``now``: Unix seconds."""
        body = json.dumps(self.document, separators=(",", ":")).encode()
        headers = signed_headers(
            scheme_name(self.source), signing, body, now=now or time.time(), delivery_id=self.delivery_id
        )
        return Sent(body, {"content-type": "application/json", **headers})


def scheme_name(source: Source) -> str:
    return next(name for name, scheme in SCHEMES.items() if scheme is source.scheme)


def new_source_secrets() -> dict[str, str]:
    """Return a new secret for each source, as its scheme needs it. Raises ``StartupError`` if a source is invalid."""
    try:
        check(FOLDER)
    except Unmapped as faults:
        raise StartupError(str(faults)) from None
    return {name: _new_secret(scheme_name(source)) for name in Sources().names() if (source := Sources().find(name))}


def keep_source_secrets(aws: LocalAws, prefix: str, source_secrets: Mapping[str, str]) -> None:
    """Store each as the secret ``<prefix>/<source>``."""
    secretsmanager = aws.client("secretsmanager")
    for source, secret in source_secrets.items():
        secretsmanager.create_secret(Name=f"{prefix}/{source}", SecretString=json.dumps({"secrets": [secret]}))


def _new_secret(scheme: str) -> str:
    match scheme:
        case "standard-webhooks" | "svix":
            return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
        case "close":
            return secrets.token_hex(32)
        case "basic":
            return f"webhooks:{secrets.token_urlsafe(24)}"
    return secrets.token_urlsafe(32)


def _with(document: dict[str, Any], value: str, where: Expression, mapping: EventMapping) -> dict[str, Any]:
    """Return the document with the value in a place where the expression finds it. The mapping must still match.

    Places that the document fills already come first, so that the event keeps its shape.
    """
    for path in sorted(PATHS.findall(LITERALS.sub("", where.text)), key=lambda path: not Expression(path).of(document)):
        changed = copy.deepcopy(document)
        _put(changed, path, value)
        if value in str(where.of(changed)) and mapping.when.of(changed) is True:
            return changed
    raise LookupError(f"The fixture of {mapping.name} has no place for {value!r} where {where.text} would find it")


def _put(document: dict[str, Any], path: str, value: str) -> None:
    """Set the value at a plain path (``data.object.id``)."""
    *steps, last = path.split(".")
    for step in steps:
        if not isinstance(document.get(step), dict):
            document[step] = {}
        document = document[step]
    document[last] = value
