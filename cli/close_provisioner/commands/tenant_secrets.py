"""``tenants add|rotate|remove|forget``: the life of a tenant's key. A key is checked before it is put into use."""

import json
from pathlib import Path
from typing import Annotated

import typer

from close_provisioner.client.secrets import SecretStore
from close_provisioner.commands.options import ReasonOption, YesOption, checked_name
from close_provisioner.commands.tenant_keys import (
    check_aside,
    credential,
    organization_so_far,
    pinned,
    put_if_ready,
    require_same_organization,
)
from close_provisioner.commands.tenants import CHECKS, NameArgument, print_report
from close_provisioner.errors import CommandError, Interrupted, Misused, Refused
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import confirm_by_name, read_secret
from close_provisioner.registration import command

CACHE_MINUTES = 5
RECOVERY_DAYS = 30
WRITES = [
    "secretsmanager:DescribeSecret, CreateSecret, PutSecretValue, UpdateSecretVersionStage on <TenantSecretPrefix>/*",
    CHECKS,
    "execute-api:Invoke on POST/v1/tenants/*/resumptions",
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="FILE", help="A file with the key; - reads it from standard input."),
]
TokenOption = Annotated[bool, typer.Option("--access-token", help="It is an OAuth access token, not an API key.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(
        app,
        "add",
        needs=[
            *WRITES,
            "secretsmanager:DeleteSecret on <TenantSecretPrefix>/check-*, where a key stands while it is checked",
        ],
        examples=[
            "tenants add acme",
            "tenants add acme --key-file key.txt",
            "tenants add acme < key.txt",
        ],
    )(add)
    command(
        app,
        "rotate",
        needs=WRITES,
        examples=["tenants rotate acme", "tenants rotate acme --key-file new-key.txt"],
    )(rotate)
    command(
        app,
        "remove",
        needs=["secretsmanager:DescribeSecret, DeleteSecret on <TenantSecretPrefix>/*"],
        examples=["tenants remove initech"],
    )(remove)
    command(
        app,
        "forget",
        needs=["execute-api:Invoke on DELETE/v1/tenants/*/memory"],
        examples=['tenants forget initech --reason "contract ended"'],
    )(forget)


def add(
    invocation: Invocation,
    tenant: NameArgument,
    key_file: KeyFileOption = None,
    access_token: TokenOption = False,
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="Store the organization beside the key.")] = True,
) -> None:
    """Check a tenant's key, store it if its signups will succeed, and let those go on that waited for it.

    The key comes from a prompt that does not show it, from a file or from standard input; no argument takes it. It is
    pinned to the organization that it opens: with a key of another one, nothing is ever written.
    """
    store = _store(invocation)
    before = store.state(checked_name(tenant))
    if before.deleted_at:
        raise Refused(
            f"The secret of {tenant} is marked for deletion at {before.deleted_at:%Y-%m-%d}. Restore it "
            "(aws secretsmanager restore-secret), then rotate it."
        )
    if before.is_stored:
        raise Refused(f"{tenant} has a key. Change it with: close-provisioner tenants rotate {tenant}")
    given = credential(read_secret(invocation.printer, f"The Close API key of {tenant}", key_file), access_token)
    report = check_aside(invocation, store, tenant, given)
    if not report.ready:
        raise Refused(f"{tenant} is not ready. The key was not stored.")
    require_same_organization(tenant, given, report, organization_so_far(invocation, tenant))
    value = json.dumps(pinned(given, report) if pin else given)
    if before.exists:
        store.put(tenant, value)
    else:
        store.create(tenant, value)
    invocation.printer.note(f"✔ {tenant} is stored. Its signups are provisioned from now on.")
    _wake_who_waits(invocation, tenant)


def rotate(
    invocation: Invocation,
    tenant: NameArgument,
    key_file: KeyFileOption = None,
    access_token: TokenOption = False,
    pin: Annotated[bool, typer.Option("--pin/--no-pin", help="Store the organization beside the key.")] = True,
) -> None:
    """Check a new key, put it into use, and check again. The old key stays in use if the new one fails.

    Functions that hold the old key use it for at most five minutes more; then it can be revoked at Close.
    """
    store = _store(invocation)
    store.require(checked_name(tenant), "The tenant")
    given = credential(read_secret(invocation.printer, f"The new Close API key of {tenant}", key_file), access_token)
    if not put_if_ready(invocation, store, tenant, given, pin=pin):
        raise Refused(f"The new key of {tenant} is not ready. The old one stays in use.")
    report = invocation.service.tenants.check(tenant)
    if not report.ready:
        print_report(invocation, report)
        raise Refused(f"The new key of {tenant} is in use, and the check after it failed.")
    free_at = invocation.host.now() + 60 * CACHE_MINUTES
    when = invocation.printer.times.clock(free_at)
    invocation.printer.note(
        f"✔ The new key of {tenant} is in use. A function that holds the old one uses it until {when}: "
        "revoke the old one at Close after that."
    )


def remove(
    invocation: Invocation,
    tenant: NameArgument,
    days: Annotated[int, typer.Option("--days", min=7, max=30, help="How long it can be restored.")] = RECOVERY_DAYS,
    yes: YesOption = False,
) -> None:
    """Schedule the deletion of a tenant's key. Its types at Close stay.

    Functions may use a key that they hold for five minutes more. The memory of its requests stays until
    `tenants forget`.
    """
    store = _store(invocation)
    store.require(checked_name(tenant), "The tenant")
    invocation.printer.note(
        f"The key of {tenant} will be deleted in {days} days. From now on its signups wait or fail. "
        "Until then: aws secretsmanager restore-secret."
    )
    confirm_by_name(invocation.printer, tenant, yes=yes)
    when = store.delete(tenant, days)
    at = f" on {when:%Y-%m-%d}" if when else f" in {days} days"
    invocation.printer.note(f"✔ The key of {tenant} is deleted{at}. Revoke it at Close, too.")


def forget(invocation: Invocation, tenant: NameArgument, reason: ReasonOption = None, yes: YesOption = False) -> None:
    """Erase what the ledger remembers about a tenant: its requests, with their bodies and outcomes.

    The memory of its types stays, since that keeps each from being created twice. Refused while the tenant has a key.
    """
    if not reason:
        raise Misused("--reason is missing: the audit keeps why.")
    invocation.printer.note(
        f"Goes: every request of {tenant}, with body, outcome and history. Stays: the names and ids of its types."
    )
    confirm_by_name(invocation.printer, tenant, yes=yes)
    erased = 0
    try:
        while True:
            answer = invocation.service.tenants.forget(tenant, reason)
            erased += answer.requests
            if answer.done:
                break
            invocation.printer.note(f"{erased} requests erased so far.")
    except KeyboardInterrupt:
        raise Interrupted(f"{erased} requests were erased, and more are left. Repeat the command.") from None
    if invocation.printer.as_json:
        invocation.printer.document({**answer.raw, "requests": erased})
        return
    invocation.printer.line(f"✔ {erased} requests of {tenant} were erased. The rest stays:")
    for each in answer.stays:
        invocation.printer.paragraph(f"- {each}", 2)


def _store(invocation: Invocation) -> SecretStore:
    return SecretStore(invocation.stack, invocation.stack.tenant_secret_prefix)


def _wake_who_waits(invocation: Invocation, tenant: str) -> None:
    """Let the requests go on that waited for the key. The key stays stored if that fails."""
    try:
        waiting = invocation.service.tenants.resume(tenant)
    except CommandError as error:
        invocation.printer.note(f"Its waiting requests go on within three hours: they could not be woken. {error}")
        return
    if waiting:
        number = f"{waiting} request{'' if waiting == 1 else 's'}"
        invocation.printer.note(f"{number} waited for it, and go on: close-provisioner requests list --tenant {tenant}")
