"""Changes of the service's surroundings while a chaos run goes on, each at its turn among the requests that are sent.

A person in Close creates types, and renames and deletes types, those of the service too. An operator replaces a
tenant's key. A deployment brings an edited mapping and an edited blueprint.
"""

import base64
import threading
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import httpx

from infra.local.deployment import BUILT
from tests.chaos.cluster import Cluster

CREATE, RENAME, DELETE = "a person creates a type", "a person renames a type", "a person deletes a type"
REPLACE_KEY, EDIT = "a tenant's key is replaced", "a mapping and a blueprint are edited"
KINDS = (CREATE, RENAME, DELETE, REPLACE_KEY, EDIT)
TRIES = 8
"""Of a person, whose calls fail as often as those of the service."""
PERSON = "hand"
"""The end of a person's key, which the simulated Close keeps in its log."""
EDITS: Mapping[str, tuple[str, str]] = {
    "sources/stripe.toml": ("'our product'", "'our renamed product'"),
    "blueprints/account.toml": (
        'name = "Signed Up"\n',
        'name = "Region"\ntype = "text"\n\n[[custom_object_types.fields]]\nname = "Signed Up"\n',
    ),
}
"""The texts that a deployment replaces, by file of the artifact."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change, at the organization of that tenant. ``number``: makes its name and its choice."""

    kind: str
    tenant: str
    number: int


@dataclass(slots=True)
class Surroundings:
    """Makes changes. ``keys``: of all tenants. ``tenants``: those with an organization of their own. ``made``: how many
    took effect, by kind. ``deleted``: the ids of types that a person deleted. ``touched``: of those that a person
    created or renamed.
    """

    cluster: Cluster
    keys: dict[str, str]
    tenants: Sequence[str]
    made: Counter[str] = field(default_factory=Counter)
    deleted: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    _person_keys: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def make(self, change: Change) -> None:
        """Make one change at a time, so that each finds what the others left."""
        with self._lock:
            self.made[change.kind] += self._is_made(change)

    def _is_made(self, change: Change) -> bool:
        if change.kind == CREATE:
            made = self.cluster.close.add_type(f"orga_{change.tenant}", f"By hand {change.number}")
            self.touched.add(str(made["id"]))
        elif change.kind == REPLACE_KEY:
            self._replace_key(change.tenant)
        elif change.kind == EDIT:
            deploy_edited(self.cluster)
        else:
            return self._type_is_changed(change)
        return True

    def _type_is_changed(self, change: Change) -> bool:
        """Rename or delete a type, through Close's API as a person's browser does; of the next tenant that has one."""
        for tenant in (change.tenant, *self.tenants):
            if types := self.cluster.close.types(f"orga_{tenant}"):
                close_id = str(Random(change.number).choice(types)["id"])  # noqa: S311 - chance on order
                path = f"custom_object_type/{close_id}/"
                if change.kind == RENAME:
                    self.touched.add(close_id)
                    return self._by_hand(tenant, "PUT", path, {"name": f"Renamed by hand {change.number}"})
                self.deleted.add(close_id)  # now already: the response may be lost
                return self._by_hand(tenant, "DELETE", path)
        return False

    def _by_hand(self, tenant: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> bool:
        key = self._person_keys.get(tenant)
        if key is None:
            key = self.cluster.close.add_key(f"orga_{tenant}", f"api_{tenant}.person-{PERSON}")
            self._person_keys[tenant] = key
        headers = {"Authorization": f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}"}
        for _ in range(TRIES):
            try:
                response = httpx.request(
                    method, f"{self.cluster.close.api_url}{path}", json=body, headers=headers, timeout=5
                )
            except httpx.HTTPError:
                continue
            if response.is_success or (method == "DELETE" and self._is_gone(tenant, path)):
                return True
        return False

    def _is_gone(self, tenant: str, path: str) -> bool:
        return not any(f"/{each['id']}/" in path for each in self.cluster.close.types(f"orga_{tenant}"))

    def _replace_key(self, tenant: str) -> None:
        """Store a new key, then revoke the old one: the service still has it in memory."""
        new = self.cluster.close.add_key(f"orga_{tenant}")
        self.secrets.add(new)
        prefix = self.cluster.stack.description.tenant_secret_prefix
        self.cluster.client("secretsmanager").put_secret_value(SecretId=f"{prefix}/{tenant}", SecretString=new)
        self.cluster.close.revoke(self.keys[tenant])
        self.keys[tenant] = new


def deploy_edited(cluster: Cluster) -> None:
    """Deploy the function of webhooks with the edited files, behind its alias.

    A sender that repeats an earlier event after it must receive the answer of the first delivery.
    """
    name, lambda_ = cluster.stack.description.functions["webhooks"].name, cluster.client("lambda")
    lambda_.update_function_code(FunctionName=name, ZipFile=edited_artifact(BUILT / "WebhooksFunction"))
    version = lambda_.publish_version(FunctionName=name)["Version"]
    lambda_.update_alias(FunctionName=name, Name="live", FunctionVersion=version)


def edited_artifact(folder: Path) -> bytes:
    """Return the zipped artifact with the edited files. Raise ``ValueError`` if a file has no text to replace."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = path.relative_to(folder).as_posix()
            if name in EDITS:
                old, new = EDITS[name]
                text = path.read_text(encoding="utf-8")
                if old not in text:
                    raise ValueError(f"{name} does not contain {old!r}. Change EDITS with it.")
                archive.writestr(name, text.replace(old, new))
            else:
                archive.write(path, name)
    return packed.getvalue()


def make_changes(chosen: Random, tenants: Sequence[str], rounds: int) -> list[Change]:
    """Draw ``rounds`` changes of each kind; mappings and blueprints are edited once."""
    kinds = [*(kind for kind in KINDS if kind != EDIT for _ in range(rounds)), EDIT]
    return [Change(kind, chosen.choice(tenants), number) for number, kind in enumerate(kinds)]
