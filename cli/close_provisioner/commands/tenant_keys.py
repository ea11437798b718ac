"""A tenant's key before it is in use: how it is stored for its check, and which organization it may open."""

import json
from typing import Any
from uuid import uuid4

from close_provisioner.client.secrets import SecretStore
from close_provisioner.client.tenants import Organization, Report
from close_provisioner.commands.tenants import print_report
from close_provisioner.errors import Misused, NotFound, Refused, StoppedPartWay
from close_provisioner.invocation import Invocation


def credential(text: str, access_token: bool) -> dict[str, Any]:
    """Return the secret's content, which the service reads. A JSON object is taken unchanged."""
    if text.startswith("{"):
        try:
            given = json.loads(text)
        except ValueError:
            raise Misused("The key starts with { and is not JSON. Nothing was stored.") from None
        return dict(given)
    return {"access_token" if access_token else "api_key": text}


def check_aside(invocation: Invocation, store: SecretStore, tenant: str, given: dict[str, Any]) -> Report:
    """Return the check of a key that is not in use: it stands under another name meanwhile, which no signup has."""
    aside = f"check-{uuid4().hex[:16]}"
    store.create(aside, json.dumps(given))
    try:
        document = invocation.service.tenants.check(aside).raw
    finally:
        store.delete(aside, 0)
    report = Report.read(json.loads(json.dumps(document).replace(aside, tenant)))
    print_report(invocation, report)
    return report


def put_if_ready(invocation: Invocation, store: SecretStore, tenant: str, given: dict[str, Any], *, pin: bool) -> bool:
    """Stage the key, let the service check it, and put it into use if the tenant is ready with it."""
    before = invocation.service.tenants.check(tenant).organization
    version = store.stage(tenant, json.dumps(given))
    try:
        report = invocation.service.tenants.check(tenant, pending=True)
        print_report(invocation, report)
        if report.ready:
            require_same_organization(tenant, given, report, before)
            store.put(tenant, json.dumps(pinned(given, report) if pin else given))
    except KeyboardInterrupt:
        raise StoppedPartWay(f"Interrupted. `tenants check {tenant}` says which key is in use.") from None
    finally:
        store.unstage(tenant, version)
    return report.ready


def organization_so_far(invocation: Invocation, tenant: str) -> Organization | None:
    """Return the organization that a tenant worked in before its key was removed."""
    try:
        return invocation.service.tenants.one(tenant).organization
    except NotFound:
        return None


def require_same_organization(tenant: str, given: dict[str, Any], report: Report, before: Organization | None) -> None:
    """Raise ``Refused`` for a key that would move the tenant, unless the organization is named beside it."""
    opened = report.organization
    if "organization_id" in given or before is None or opened is None or before.id == opened.id:
        return
    raise Refused(
        f"{tenant} works in {before.title}, and this key opens {opened.title}. Nothing was stored. To move the tenant, "
        f'give the key as {{"api_key": …, "organization_id": "{opened.id}"}}.'
    )


def pinned(given: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the secret's content with the organization that the key opens."""
    return {"organization_id": report.organization.id, **given} if report.organization else given
