"""Judge what a check of a tenant read. Pure: each finding is tested as a table.

Close documents ``GET /me/`` (the user, its organizations and its role in each) and ``GET /role/`` (the permissions of
each role). A plan's limits are in neither: Close shows them only when it rejects a write.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from provisioner.close.models import Role
from provisioner.close.responses import rate_limit_left
from provisioner.contract.errors import ProvisioningError, Rejected
from provisioner.operate.checks import Check, Who, failed, ok, unknown, warning

CUSTOMIZE, ORGANIZE = "manage_customizations", "manage_organization"
SKEW_SECONDS = 60
"""More than this between two clocks is a fault of one of them. From 300 s on, results may be attributed wrongly."""
DOCUMENTED_FIELDS = 250
"""The custom fields that each of Close's plans allows, over all objects (Close's page on pricing, August 2026)."""
NEARLY = 0.9
LOW_HEADROOM = 0.2
MAX_NAMES = 5
API_KEYS = "Settings > Developer > API Keys"
ROLES = "Settings > Roles & Permissions"
AGAIN = "check it again later"


class Me(NamedTuple):
    """The user of a credential, as far as Close tells. ``organizations``: the user's, name by id."""

    user_id: str
    organizations: Mapping[str, str]
    roles: Mapping[str, str]
    granted: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, document: Any) -> "Me":
        """Read ``GET /me/``. Unknown or missing parts are left out."""
        me = document if isinstance(document, dict) else {}
        organizations = {str(row["id"]): str(row.get("name") or "") for row in _rows(me, "organizations", "id")}
        members = _rows(me, "memberships", "organization_id")
        return cls(
            str(me.get("id") or ""),
            organizations,
            {str(row["organization_id"]): str(row["role_id"]) for row in members if row.get("role_id")},
            {str(row["organization_id"]): _texts(row.get("permissions_granted")) for row in members},
        )


def _rows(document: Mapping[str, Any], name: str, key: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    return [row for row in rows if isinstance(row, dict) and row.get(key)] if isinstance(rows, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


class Binding(NamedTuple):
    """The organization that a tenant must work in. ``pinned``: by its secret; ``remembered``: by the ledger.

    ``others``: the tenants that work in each organization already, this one left out.
    """

    tenant: str
    pinned: str | None = None
    remembered: str | None = None
    others: Mapping[str, Sequence[str]] = {}

    @property
    def expected(self) -> str | None:
        return self.pinned or self.remembered


def key(error: ProvisioningError | None, tenant: str, seen: str) -> Check:
    """Judge the answer of ``GET /me/``, which needs a valid key and no permission."""
    if error is None:
        return ok("key", seen)
    if isinstance(error, Rejected) and error.problem.close_status in {401, 403}:
        fix = (
            f"In Close, {API_KEYS}, create a new key, as a user whose role may manage customizations. Then run "
            f"close-provisioner tenants rotate {tenant}."
        )
        return failed(
            "key",
            f"Close rejected it ({error.problem.close_status}): it is wrong, revoked, or expired.",
            fix,
            Who.CLOSE_ADMIN,
        )
    if isinstance(error, Rejected):
        fix = "Check the parameter CloseApiUrl of the stack."
        return failed("key", f"Close did not answer as documented: {error}", fix, Who.OPERATOR)
    return unknown("key", f"Close could not be asked: {error}.", f"Wait a minute, and {AGAIN}.", Who.OPERATOR)


def organization(opened: Mapping[str, str], binding: Binding) -> Check:
    """Judge the organization that the credential opens. ``opened``: name by id; several if Close does not say which."""
    name = "organization"
    if len(opened) != 1:
        found = ", ".join(list(opened)[:MAX_NAMES]) or "none"
        fix = "Create the key as a user who belongs to this organization only."
        return failed(name, f"Close does not say which organization the key opens: {found}.", fix, Who.CLOSE_ADMIN)
    [(opened_id, title)] = opened.items()
    shown = f"{title or 'An organization without a name'} ({opened_id})"
    if binding.expected not in {None, opened_id}:
        return _foreign(shown, binding)
    if others := binding.others.get(opened_id):
        fix = "If they are two customers, one of them has the other's key: compare the names, and rotate the wrong one."
        return warning(name, f"{shown}, where {_names(others)} works too.", fix, Who.OPERATOR)
    how = "named in the secret" if binding.pinned else "as before" if binding.remembered else "not used so far"
    return ok(name, f"{shown}, {how}.")


def _foreign(shown: str, binding: Binding) -> Check:
    where = "its secret names" if binding.pinned else "the tenant worked so far in"
    fix = (
        f"Store a key of {binding.expected}: close-provisioner tenants rotate {binding.tenant}. If the tenant moved to "
        "the other organization, name that one as organization_id in the secret."
    )
    return failed("organization", f"{shown}, but {where} {binding.expected}.", fix, Who.OPERATOR)


def user(me: Me, organization_id: str, roles: Sequence[Role] | ProvisioningError) -> Check:
    role_id = me.roles.get(organization_id)
    if not me.user_id or role_id is None:
        return unknown("user", "Close does not say which user and role the key has.")
    known = [] if isinstance(roles, ProvisioningError) else [each for each in roles if each.id == role_id]
    named = f"{known[0].name} ({role_id})" if known else role_id
    return ok("user", f"{me.user_id}, role {named}.")


def permission(me: Me, organization_id: str, roles: Sequence[Role] | ProvisioningError) -> Check:
    """Judge whether the user may create types and fields, which Close's role says without a write."""
    name, role_id = "permission", me.roles.get(organization_id, "")
    if isinstance(roles, ProvisioningError):
        return unknown(
            name, f"Close does not show the roles to this user: {roles}", _ask_about(role_id), Who.CLOSE_ADMIN
        )
    role = next((each for each in roles if each.id == role_id), None)
    listed = role.value("permissions") if role else None
    if not isinstance(listed, list):
        return unknown(
            name, f"Close does not show what the role {role_id!r} may do.", _ask_about(role_id), Who.CLOSE_ADMIN
        )
    held = {*map(str, listed), *me.granted.get(organization_id, ())}
    if CUSTOMIZE in held:
        return ok(name, f"The role {role.name if role else role_id} may manage customizations.")
    shown = f"The role {role.name if role else role_id} ({role_id}) lacks {CUSTOMIZE}"
    fix = (
        f"In Close, {ROLES}, let this role manage customizations; or create the key as a user whose role may. "
        "Then check again."
    )
    if ORGANIZE in held:
        return warning(name, f"{shown}, and has {ORGANIZE}, which may include it.", fix, Who.CLOSE_ADMIN)
    return failed(name, f"{shown}: every create would be rejected (403).", fix, Who.CLOSE_ADMIN)


def _ask_about(role_id: str) -> str:
    return f"Ask an administrator of Close whether the role {role_id!r} may manage customizations ({ROLES})."


def types(read: ProvisioningError | tuple[int, int]) -> Check:
    """Judge the lists of types and fields. ``read``: how many of each, or the error of the first that failed."""
    name = "types"
    if not isinstance(read, ProvisioningError):
        return ok(name, f"{read[0]} types and {read[1]} fields, all readable.")
    status = read.problem.close_status if isinstance(read, Rejected) else None
    if status in {402, 404}:
        fix = "Change the plan of the Close organization to one with Custom Objects."
        return failed(name, f"The plan has no Custom Objects: {read}", fix, Who.CLOSE_BILLING)
    if isinstance(read, Rejected):
        fix = f"In Close, {ROLES}, let the role of the key's user see Custom Objects."
        return failed(name, f"They are not readable: {read}", fix, Who.CLOSE_ADMIN)
    return unknown(name, f"They could not be read: {read}.", f"Wait a minute, and {AGAIN}.", Who.OPERATOR)


def plan(fields: int | None, refused: str | None) -> Check:
    """Say what is known of the plan's limits: it is not knowable by reading. ``refused``: the last 402, in words."""
    name = "plan"
    if refused:
        fix = "Change the plan of the Close organization, or archive what it no longer needs. Then retry the request."
        return warning(name, f"Close rejected a create because of the plan (402): {refused}.", fix, Who.CLOSE_BILLING)
    if fields is not None and fields >= DOCUMENTED_FIELDS * NEARLY:
        fix = "Ask Close how many more custom fields the plan allows, before the next signup needs them."
        seen = (
            f"{fields} custom fields of Custom Objects; Close documents {DOCUMENTED_FIELDS} for all objects together."
        )
        return warning(name, seen, fix, Who.CLOSE_BILLING)
    return unknown(
        name,
        "Not knowable by reading: Close shows a plan's limits only when it rejects a create (402). None is known.",
    )


def rate_limit(headers: Mapping[str, str], paused_seconds: float) -> Check:
    name = "rate-limit"
    if paused_seconds > 0:
        fix = "Wait. If it comes back, find the other software that uses this organization's API."
        return warning(name, f"Close asked for a pause, {paused_seconds:.0f} s of which are left.", fix, Who.OPERATOR)
    left = rate_limit_left(headers)
    if left is None:
        return unknown(name, "Close's answer has no RateLimit header.")
    limit, remaining = left
    seen = f"{remaining:g} of {limit:g} requests are left in this window."
    if remaining < limit * LOW_HEADROOM:
        fix = "Find the other software that uses this key or organization: its requests count, too."
        return warning(name, seen, fix, Who.OPERATOR)
    return ok(name, seen)


def clock(headers: Mapping[str, str], now: float) -> Check:
    """Compare the time at Close with ``now`` (Unix seconds). Results are attributed by Close's dates."""
    name = "clock"
    try:
        shown = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return unknown(name, "Close's answer has no Date header.")
    skew = (shown if shown.tzinfo else shown.replace(tzinfo=UTC)).timestamp() - now
    if abs(skew) <= SKEW_SECONDS:
        return ok(name, "Close and this service agree to the minute.")
    where = "ahead of" if skew > 0 else "behind"
    seen = (
        f"Close's clock ({shown:%Y-%m-%dT%H:%M:%SZ}) is {abs(skew):.0f} s {where} that of this service ({_utc(now)})."
    )
    fix = "Compare both with a third clock. While they differ, a request may report a type of its own as found."
    return warning(name, seen, fix, Who.OPERATOR)


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    return f"{shown}, …" if len(names) > MAX_NAMES else shown
