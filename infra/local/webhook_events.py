"""Upstream senders, for a stack on this machine: their secrets, and their events as they would send and sign them."""

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

TEXTS = re.compile(r"'[^']*'")
PATHS = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?![\w.(\[])")
"""Of a JMESPath expression without its texts: the plain paths (``data.object.id``), and no function's name."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery, as it goes over the wire. ``headers`` without those that any HTTP client adds."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a sender. Sent twice it is the same event, signed anew each time."""

    source: Source
    document: Mapping[str, Any]
    delivery_id: str

    @classmethod
    def of(cls, source: str, name: str, tenant: str | None = None, *, folder: Path = FOLDER) -> "Event":
        """A new event made of the fixture of that name, for that tenant.

        Raises ``LookupError`` when there is none, or when no tenant or id can be put into it.
        """
        found = Sources(folder).find(source)
        if found is None:
            raise LookupError(f"there is no source {source!r}; there are {', '.join(Sources(folder).names())}")
        mapping = next((each for each in found.events if each.name == name), None)
        if mapping is None:
            names = ", ".join(each.name for each in found.events)
            raise LookupError(f"{source} has no event {name!r}; it has {names}")
        document = json.loads((folder / "fixtures" / source / f"{name}.json").read_bytes())
        unique = uuid.uuid4().hex
        if not found.scheme.signs_id:
            document = _with(document, f"evt_{unique}", found.request_id, mapping)
        if tenant is not None:
            document = _with(document, tenant, mapping.tenant, mapping)
        return cls(found, document, f"msg_{unique}")

    def sent(self, signing: Sequence[str], *, now: float | None = None) -> Sent:
        """``signing``: the active secrets. ``now``: Unix seconds."""
        body = json.dumps(self.document, separators=(",", ":")).encode()
        headers = signed_headers(
            scheme_name(self.source), signing, body, now=now or time.time(), delivery_id=self.delivery_id
        )
        return Sent(body, {"content-type": "application/json", **headers})


def scheme_name(source: Source) -> str:
    return next(name for name, scheme in SCHEMES.items() if scheme is source.scheme)


def new_source_secrets() -> dict[str, str]:
    """A secret for each source, made up anew, as its scheme wants it. Raises ``StartupError`` for faults of sources."""
    try:
        check(FOLDER)
    except Unmapped as faults:
        raise StartupError(str(faults)) from None
    return {name: _new_secret(scheme_name(source)) for name in Sources().names() if (source := Sources().find(name))}


def keep_source_secrets(aws: LocalAws, prefix: str, held: Mapping[str, str]) -> None:
    """Stores each as the secret ``<prefix>/<source>``."""
    secretsmanager = aws.client("secretsmanager")
    for source, secret in held.items():
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
    """The document with the value where the expression finds it; it stays an event of that kind."""
    for path in PATHS.findall(TEXTS.sub("", where.text)):
        changed = copy.deepcopy(document)
        _put(changed, path, value)
        if value in str(where.of(changed)) and mapping.when.of(changed) is True:
            return changed
    raise LookupError(f"{value!r} cannot be put where {where.text} finds it in the fixture of {mapping.name}")


def _put(document: dict[str, Any], path: str, value: str) -> None:
    """Puts the value where a plain path (``data.object.id``) leads."""
    *steps, last = path.split(".")
    for step in steps:
        if not isinstance(document.get(step), dict):
            document[step] = {}
        document = document[step]
    document[last] = value
