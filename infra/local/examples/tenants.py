"""The tenants of the local stack: what each one's organization in the simulated Close is like, and its credential.

default, acme     ordinary organizations
globex            an ordinary one, in which somebody made a type by hand
initech           its stored key is dead: Close answers 401
hooli             its Close plan holds no (further) custom objects: 402
umbrella          its key's role may not customize the organization: 403
"""

import secrets
from collections.abc import Mapping
from typing import Any

from infra.local.emulator import LocalAws

# What a person made in Globex's organization before this service came along.
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
    "default": {"name": "The only one"},
    "acme": {"name": "Acme", "roles": {"role_salesmanager": "Sales Manager"}},
    "globex": {"name": "Globex", "types": [MADE_BY_HAND]},
    "initech": {"name": "Initech"},
    "hooli": {"name": "Hooli", "max_types": 0},
    "umbrella": {"name": "Umbrella", "may_customize": False},
}
DEAD = frozenset({"initech"})


def organization_id(tenant: str) -> str:
    """Of the tenant's organization in the simulated Close: fixed, so that state can be asked for by it."""
    return f"orga_{tenant}"


def organizations() -> dict[str, dict[str, Any]]:
    """Of each tenant: the organization's ``id`` and ``name``, and how it differs from an ordinary one."""
    return {tenant: {"id": organization_id(tenant), **settings} for tenant, settings in _ORGANIZATIONS.items()}


def new_credentials() -> dict[str, str]:
    """A secret for each tenant, made up anew for each run: a key that Close knows, or once knew."""
    return {tenant: f"api_{secrets.token_hex(8)}.{secrets.token_hex(16)}" for tenant in _ORGANIZATIONS}


def close_setup(credentials: Mapping[str, str]) -> dict[str, Any]:
    """The simulated Close's ``--setup``: the organizations with the keys that open them."""
    keys = {tenant: [] if tenant in DEAD else [credential] for tenant, credential in credentials.items()}
    return {"organizations": [{**each, "keys": keys[tenant]} for tenant, each in organizations().items()]}


def keep_credentials(aws: LocalAws, prefix: str, credentials: Mapping[str, str]) -> None:
    """Stores each as the secret ``<prefix>/<tenant>``."""
    secretsmanager = aws.client("secretsmanager")
    for tenant, text in credentials.items():
        secretsmanager.create_secret(Name=f"{prefix}/{tenant}", SecretString=text)
