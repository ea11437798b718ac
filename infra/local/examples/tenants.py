"""The tenants of the local stack: the organization of each in the simulated Close, and its credential.

default, acme     organizations without special settings
globex            already has a type that a user made by hand
initech           its stored key was revoked: Close answers 401
hooli             its Close plan allows no more types: 402
umbrella          the role of its key may not customize the organization: 403
"""

import secrets
from collections.abc import Mapping
from typing import Any

from infra.local.emulator import LocalAws

MADE_BY_HAND = {
    "name": "Device",
    "name_plural": "Devices",
    "description": "Made by hand, long ago",
    "fields": [
        {"name": "Serial number", "type": "text"},
        {"name": "State", "type": "choices", "choices": ["In stock", "Shipped"]},
    ],
}

_ORGANIZATIONS: Mapping[str, Mapping[str, Any]] = {
    "default": {"name": "Default"},
    "acme": {"name": "Acme", "roles": {"role_salesmanager": "Sales Manager"}},
    "globex": {"name": "Globex", "types": [MADE_BY_HAND]},
    "initech": {"name": "Initech"},
    "hooli": {"name": "Hooli", "max_types": 0},
    "umbrella": {"name": "Umbrella", "may_customize": False},
}
REVOKED = frozenset({"initech"})


def organization_id(tenant: str) -> str:
    """Return the fixed id of the tenant's organization in the simulated Close."""
    return f"orga_{tenant}"


def organizations() -> dict[str, dict[str, Any]]:
    """Return the organization of each tenant: ``id``, ``name`` and its special settings."""
    return {tenant: {"id": organization_id(tenant), **settings} for tenant, settings in _ORGANIZATIONS.items()}


def new_credentials() -> dict[str, str]:
    """Return a new random API key for each tenant."""
    return {tenant: f"api_{secrets.token_hex(8)}.{secrets.token_hex(16)}" for tenant in _ORGANIZATIONS}


def close_setup(credentials: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``--setup`` of the simulated Close: the organizations with their valid keys."""
    keys = {tenant: [] if tenant in REVOKED else [credential] for tenant, credential in credentials.items()}
    return {"organizations": [{**each, "keys": keys[tenant]} for tenant, each in organizations().items()]}


def keep_credentials(aws: LocalAws, prefix: str, credentials: Mapping[str, str]) -> None:
    """Store each key as the secret ``<prefix>/<tenant>``."""
    secretsmanager = aws.client("secretsmanager")
    for tenant, key in credentials.items():
        secretsmanager.create_secret(Name=f"{prefix}/{tenant}", SecretString=key)
