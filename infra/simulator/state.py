"""The state of the simulated Close: organizations, credentials and stored objects. One lock guards all of it."""

import secrets
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from infra.simulator.options import Options
from infra.simulator.rate_limits import RateLimit, Windows
from infra.simulator.roles import CUSTOMIZE, OwnRole, permissions_of

type Clock = Callable[[], float]
"""Returns Unix seconds."""

_EPOCH = time.time() - time.monotonic()

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTHS = {"cotype": 22, "role": 22, "oa2client": 22, "orga": 43, "user": 43, "cf": 43, "memb": 43}


def system_clock() -> float:
    """Return Unix seconds that never go backwards, also if the machine's clock is changed."""
    return _EPOCH + time.monotonic()


def new_id(prefix: str) -> str:
    """Return ``<prefix>_<base62>``, as long as Close's own ids of that kind."""
    return f"{prefix}_{''.join(_ALPHABET[byte % 62] for byte in secrets.token_bytes(_LENGTHS[prefix]))}"


def new_secret(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(8)}.{secrets.token_hex(16)}"


def folded(name: str) -> str:
    """Return the name in the form that people compare: NFC, trimmed, inner spaces folded, case-folded, and without
    invisible characters.
    """
    seen = "".join(each for each in name if not _is_invisible(each))
    return " ".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold()).split())


def _is_invisible(character: str) -> bool:
    """Joiners and tags are kept: they tell words, and flags, apart."""
    if character in "\u200c\u200d" or "\U000e0020" <= character <= "\U000e007f":
        return False
    return unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f" or character in "\u3164\u034f"


@dataclass(slots=True)
class Stored:
    """One stored object. Times are Unix seconds; dates in ``data`` are aware datetimes."""

    data: dict[str, Any]
    listed_from: float = 0
    readable_from: float = 0
    gone_from: float | None = None

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def exists(self) -> bool:
        return self.gone_from is None

    def is_readable(self, now: float) -> bool:
        return self.readable_from <= now and not self._is_gone(now)

    def is_listed(self, now: float) -> bool:
        return self.listed_from <= now and not self._is_gone(now)

    def _is_gone(self, now: float) -> bool:
        return self.gone_from is not None and self.gone_from <= now


@dataclass(slots=True)
class Organization:
    """One Close organization with its one user, its data and its settings.

    ``roles``: its own roles by id. Every organization also has the built-in ones. ``role_id``: the user's role, in
    place of the one that ``may_customize`` stands for; ``permissions_granted``: the user's own, beside the role's.
    ``member_of``: further organizations of the user, which the key does not open, with the role in each.
    """

    id: str
    name: str
    user_id: str = field(default_factory=lambda: new_id("user"))
    options: dict[str, object] = field(default_factory=dict)
    has_custom_objects: bool = True
    may_customize: bool = True
    max_types: int | None = None
    max_fields: int | None = None
    role_id: str | None = None
    permissions_granted: list[str] = field(default_factory=list)
    member_of: dict[str, str] = field(default_factory=dict)
    rate_limit: RateLimit | None = None
    types: dict[str, Stored] = field(default_factory=dict)
    fields: dict[str, Stored] = field(default_factory=dict)
    shared_fields: dict[str, Stored] = field(default_factory=dict)
    field_order: dict[str, list[str]] = field(default_factory=dict)
    associations_listed_from: dict[tuple[str, str], float] = field(default_factory=dict)
    roles: dict[str, OwnRole] = field(default_factory=dict)
    creates: int = 0

    @property
    def user_role(self) -> str:
        """The id of the role that the user has here."""
        return self.role_id or ("admin" if self.may_customize else "user")

    @property
    def permits_customizing(self) -> bool:
        """Whether the user may create and change types and fields."""
        return CUSTOMIZE in {*permissions_of(self.user_role, self.roles), *self.permissions_granted}

    def is_association_listed(self, field_id: str, address: str, now: float) -> bool:
        """Return whether lists show the association of that shared field yet."""
        return self.associations_listed_from.get((field_id, address), 0) <= now

    def existing_types(self) -> list[Stored]:
        return [stored for stored in self.types.values() if stored.exists]

    def duplicates(self) -> dict[str, int]:
        """Return the number of types per name where it is above one. The oldest type gives the spelling."""
        groups: dict[str, list[str]] = {}
        for stored in self.existing_types():
            groups.setdefault(folded(stored.data["name"]), []).append(stored.data["name"])
        return {names[0]: len(names) for names in groups.values() if len(names) > 1}

    def clear(self) -> None:
        """Remove the stored objects. Identity and settings stay."""
        held = (self.types, self.fields, self.shared_fields, self.field_order, self.associations_listed_from)
        for objects in held:
            objects.clear()
        self.creates = 0


@dataclass(slots=True)
class Credential:
    """An API key or an access token: the right to act as one organization's user."""

    kind: Literal["api_key", "access_token"]
    text: str
    organization_id: str
    revoked: bool = False
    expires_at: float | None = None
    rate_limit: RateLimit | None = None

    def is_valid(self, now: float) -> bool:
        return not self.revoked and (self.expires_at is None or now < self.expires_at)


@dataclass(slots=True)
class RefreshToken:
    """A token that renews an access token. After its first exchange it is valid for a grace period."""

    organization_id: str
    client_id: str
    void_from: float | None = None

    def is_valid(self, now: float) -> bool:
        return self.void_from is None or now < self.void_from


@dataclass(slots=True)
class LogEntry:
    """One line of the request log. ``status`` is empty without a response."""

    method: str
    path: str
    time: str
    organization_id: str | None
    key_suffix: str | None
    type_name: str | None
    status: int | None = None
    fault: str | None = None


@dataclass(slots=True)
class State:
    """The whole state. A reader or writer holds ``lock``."""

    clock: Clock = system_clock
    lock: threading.RLock = field(default_factory=threading.RLock)
    options: Options = field(default_factory=Options)
    organizations: dict[str, Organization] = field(default_factory=dict)
    credentials: dict[str, Credential] = field(default_factory=dict)
    oauth_clients: dict[str, str] = field(default_factory=dict)
    authorization_codes: dict[str, str] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    windows: Windows = field(default_factory=Windows)
    log: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=100_000))

    def date(self) -> datetime:
        """Return the present, by the clock."""
        return datetime.fromtimestamp(self.clock(), UTC)

    def clear(self) -> None:
        """Remove organizations, credentials and objects. Options and log stay."""
        held = (self.organizations, self.credentials, self.oauth_clients, self.authorization_codes, self.refresh_tokens)
        for each in held:
            each.clear()
        self.windows.clear()

    def options_of(self, organization: Organization | None) -> Options:
        return self.options.changed(organization.options) if organization else self.options

    def organization_of(self, credential: Credential | None) -> Organization | None:
        return self.organizations.get(credential.organization_id) if credential else None
