"""The pages about tenants: the list, one tenant with its check, and its types at Close."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from close_provisioner.client.requests import Filter
from close_provisioner.client.service import Service
from close_provisioner.client.tenants import Organization, Tenant
from close_provisioner.console.page import Pages
from close_provisioner.console.type_rows import TypeView
from close_provisioner.errors import CommandError

ROOM = "Tenants"
LATEST = 10
PAGE = 50
OFFERED = 20  # names of tenants that the page of types offers


@dataclass(frozen=True, slots=True)
class TenantPages:
    """The pages of one stack."""

    service: Service
    pages: Pages

    def list(self, request: Request) -> Response:
        """Show a page of the tenants that have a stored credential."""
        found, cursor = self.service.tenants.page(PAGE, request.query_params.get("cursor"))
        following = f"/tenants?{urlencode({'cursor': cursor})}" if cursor else None
        return self.pages.page("tenants.html", ROOM, tenants=[_row(each) for each in found], next=following)

    def one(self, request: Request) -> Response:
        """Show a tenant with its last requests."""
        tenant = self.service.tenants.one(request.path_params["tenant"])
        rows, _ = self.service.requests.page(Filter(tenant=tenant.tenant), LATEST, None)
        return self.pages.page("tenant.html", ROOM, tenant=_row(tenant), requests=rows, filtered=False)

    async def check(self, request: Request) -> Response:
        """Check the tenant now. Nothing is written."""
        try:
            report = await run_in_threadpool(self.service.tenants.check, request.path_params["tenant"])
        except CommandError as error:
            return HTMLResponse(self.pages.fragment("_checks.html", error=str(error)))
        checks = self.pages.fragment(
            "_checks.html",
            error=None,
            ready=report.ready,
            checks=report.checks,
            organization=_label(report.organization),
        )
        return HTMLResponse(checks)

    def types(self, request: Request) -> Response:
        """Show a tenant's types in Close, beside the last request for each."""
        names = [each.tenant for each in self.service.tenants.page(OFFERED)[0]]
        tenant = request.query_params.get("tenant") or next(iter(names), "")
        found = self.service.tenants.types(tenant) if tenant else ()
        views = [TypeView.of(each) for each in found]
        return self.pages.page("types.html", "Types", names=names, tenant=tenant, types=views)


def _row(tenant: Tenant) -> dict[str, Any]:
    last, credential = tenant.last_request, tenant.credential
    return {
        "tenant": tenant.tenant,
        "organization_label": _label(tenant.organization),
        "changed_at": credential.changed_at if credential else None,
        "fault": credential.fault if credential else None,
        "last_result": (last.result or "waiting") if last else None,
        "waiting": tenant.waiting,
    }


def _label(organization: Organization | None) -> str:
    if organization is None:
        return ""
    return f"{organization.name} ({organization.id})" if organization.name else organization.id
