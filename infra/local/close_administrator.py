"""``make key`` and ``make allow``: what an administrator of a tenant's organization does, in the simulated Close."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.config import PROJECT
from infra.local.errors import StartupError
from infra.local.examples.tenants import organization_id
from infra.simulator import ControlClient, ControlError

DEFAULT_TENANT = "acme"


type Say = Callable[[str], None]
type Deed = Callable[[str, ControlClient], str]


def key(environment: Mapping[str, str], state: Path = PROJECT / ".local", say: Say = print) -> int:
    """Print a new API key alone, for a pipe. Return the exit code."""
    return _done(_key, environment, state, say)


def allow(environment: Mapping[str, str], state: Path = PROJECT / ".local", say: Say = print) -> int:
    """Let the tenant's organization have any number of types, and its keys create them. Return the exit code."""
    return _done(_allowed, environment, state, say)


def _done(deed: Deed, environment: Mapping[str, str], state: Path, say: Say) -> int:
    tenant = environment.get("TENANT", "").strip() or DEFAULT_TENANT
    try:
        close = _simulated_close(state)
        try:
            say(deed(tenant, close))
        except (OSError, ValueError):
            raise StartupError(
                f"No simulated Close answers at {close.url}: the stack calls another Close API. Make the change there."
            ) from None
    except StartupError as error:
        say(f"\n{error}\n")
        return 1
    return 0


def _simulated_close(state: Path) -> ControlClient:
    try:
        url = json.loads((state / "stack.json").read_text(encoding="utf-8"))["close_url"]
    except OSError:
        raise StartupError("No stack is running on this machine. Start one with `make run`.") from None
    return ControlClient(url)


def _key(tenant: str, close: ControlClient) -> str:
    """Return a new key. A tenant without an organization gets one."""
    organization = organization_id(tenant)
    try:
        return close.add_key(organization)
    except ControlError:
        return str(close.add_organization(id=organization, name=tenant.capitalize())["keys"][0])


def _allowed(tenant: str, close: ControlClient) -> str:
    """Return a sentence. Raises ``StartupError`` if the tenant has no organization."""
    try:
        close.change_organization(organization_id(tenant), max_types=None, may_customize=True)
    except ControlError:
        raise StartupError(f"The simulated Close has no organization of tenant {tenant!r}.") from None
    return f"The organization of {tenant} may have any number of types now, and its keys may create them."
