"""``make key``: makes an API key for a tenant in the simulated Close, as its administrator would, and prints it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.config import PROJECT
from infra.local.errors import StartupError
from infra.local.examples.tenants import organization_id
from infra.simulator import ControlClient, ControlError

DEFAULT_TENANT = "acme"


def main(environment: Mapping[str, str], state: Path = PROJECT / ".local", say: Callable[[str], None] = print) -> int:
    """Print the key alone, for a pipe. Return the exit code."""
    tenant = environment.get("TENANT", "").strip() or DEFAULT_TENANT
    try:
        say(_key(tenant, _simulated_close(state)))
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
    except (OSError, ValueError):
        raise StartupError(
            f"No simulated Close answers at {close.url}: the stack calls another Close API. Make the key there."
        ) from None
