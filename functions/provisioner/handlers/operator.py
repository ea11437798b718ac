"""The operator's API: what happened to requests, and why.

Only people and their tools call it, so it is a function of its own: no signup waits for it, starts slower because of
it, or fails with it. Each route is a row of ``ROUTES``.
"""

from provisioner.handlers.cold_start import once

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import botocore

from provisioner.aws import make_clients
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.credentials.inventory import Inventory
from provisioner.handlers.apigateway import (
    Response,
    body_of,
    principal_of,
    query_of,
    rejection_response,
    response,
    unavailable,
)
from provisioner.handlers.events import Events
from provisioner.ingest.ingest import Ingest
from provisioner.ledger.actions import Actions
from provisioner.ledger.request_lists import RequestLists
from provisioner.ledger.tenant_items import TenantItems
from provisioner.messaging.backlog import Backlog
from provisioner.messaging.dead_letters import DeadLetterQueues
from provisioner.operate.audit import Audit
from provisioner.operate.audit_pages import AuditPages
from provisioner.operate.blueprint_pages import all_blueprints, one_blueprint
from provisioner.operate.call import Answer, Call
from provisioner.operate.dead_letters import DeadLetters
from provisioner.operate.recent_requests import RecentRequests
from provisioner.operate.request_history import RequestHistory
from provisioner.operate.request_pages import RequestPages
from provisioner.operate.resolutions import Resolutions
from provisioner.operate.retries import Retries
from provisioner.operate.sources import Sources
from provisioner.operate.status import Status
from provisioner.operate.tenant_check import TenantCheck
from provisioner.operate.tenant_types import TenantTypes
from provisioner.operate.tenants import Memory, Tenants
from provisioner.reconcile.resolutions import Resolver
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

MODELS = str(Path(botocore.__file__).with_name("operator-models"))
"""The build puts the models of this function's clients there. Without the folder, botocore's own serve."""


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> Response:
    """Answer an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event, lambda: context.get_remaining_time_in_millis() / 1000)


@once
def _service() -> "Operator":
    return Operator.of(Service.from_settings(Settings.from_env()), make_clients(MODELS))


@dataclass(frozen=True, slots=True)
class Operator:
    """The handler without Lambda."""

    pages: RequestPages
    history: RequestHistory
    status: Status
    tenants: Tenants
    retries: Retries
    resolutions: Resolutions
    dead_letters: DeadLetters
    types: TenantTypes
    sources: Sources
    audit: AuditPages

    @classmethod
    def of(cls, service: Service, client: Callable[[str], Any]) -> Self:
        """Put the parts together. ``client`` makes an AWS client by its service's name."""
        settings, clock = service.settings, service.provisioner.clock
        ledger = replace(service.ledger, dynamodb=client("dynamodb"))
        secrets, lists = client("secretsmanager"), RequestLists(ledger.dynamodb, ledger.table)
        actions, recent = Actions(ledger.dynamodb, ledger.table, clock), RecentRequests(lists, ledger)
        memory = Memory(TenantItems(ledger), lists, Inventory(secrets, settings.tenant_secret_prefix), clock)
        ingest = Ingest.from_settings(settings, client, clock)
        audit = Audit(actions)
        return cls(
            pages=RequestPages(lists, settings.request_retention_days, clock),
            history=RequestHistory(ledger),
            status=Status(recent, Backlog.from_settings(settings, client("sqs")), clock),
            tenants=Tenants(memory, _tenant_check(service, memory), audit, ingest.resume_waiting, recent),
            retries=Retries(ledger, service.queue, audit),
            resolutions=Resolutions(ledger, Resolver(service.provisioner), service.organization, audit),
            dead_letters=DeadLetters(
                DeadLetterQueues.from_settings(settings, client("sqs")),
                service.queue,
                ledger,
                Events(ingest, settings.tenant_secret_prefix).handle,
                audit,
            ),
            types=TenantTypes(ledger, lists, service.provisioner, service.organization),
            sources=Sources(ingest.sources, secrets, settings.source_secret_prefix, recent, clock),
            audit=AuditPages(actions, clock),
        )

    def answer(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        """Return the response to a proxy event. Errors are RFC 9457 problems."""
        try:
            route = _route_of(event)
            answer = route.run(self, _call_of(event, time_left))
            count(["Answered"])
            return response(route.status, answer)
        except Rejected as rejection:
            count(["Rejected"])
            logger.info("rejected", extra={"problem": rejection.problem.type, "reason": str(rejection)})
            return rejection_response(rejection.problem)
        except Exception:  # the caller sees none of it
            logger.exception("could not answer the operator")
            count(["Unavailable"])
            return unavailable("The answer could not be made. Send the call again.")


def _tenant_check(service: Service, memory: Memory) -> TenantCheck:
    return TenantCheck(
        memory.inventory.secretsmanager,
        memory.inventory.prefix,
        memory,
        service.http,
        service.settings.close_api_url,
        service.settings.close_timeout_seconds,
        memory.clock,
    )


class Route(NamedTuple):
    """One route: the status of its success, and the function that answers it."""

    run: Callable[[Operator, Call], Answer]
    status: int = 200


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/v1/provisioning-requests"): Route(lambda operator, call: operator.pages.page(call)),
    ("GET", "/v1/tenants/{tenant}/provisioning-requests"): Route(lambda operator, call: operator.pages.page(call)),
    ("GET", "/v1/provisioning-requests/{id}/history"): Route(lambda operator, call: operator.history.show(call)),
    ("GET", "/v1/tenants/{tenant}/provisioning-requests/{id}/history"): Route(
        lambda operator, call: operator.history.show(call)
    ),
    ("GET", "/v1/status"): Route(lambda operator, call: operator.status.show(call)),
    ("GET", "/v1/blueprints"): Route(lambda _, call: all_blueprints(call)),
    ("GET", "/v1/blueprints/{name}"): Route(lambda _, call: one_blueprint(call)),
    ("GET", "/v1/tenants"): Route(lambda operator, call: operator.tenants.page(call)),
    ("GET", "/v1/tenants/{tenant}"): Route(lambda operator, call: operator.tenants.one(call)),
    ("POST", "/v1/tenants/{tenant}/checks"): Route(lambda operator, call: operator.tenants.check(call)),
    ("POST", "/v1/tenants/{tenant}/resumptions"): Route(lambda operator, call: operator.tenants.resume(call)),
    ("GET", "/v1/tenants/{tenant}/types"): Route(lambda operator, call: operator.types.page(call)),
    ("DELETE", "/v1/tenants/{tenant}/memory"): Route(lambda operator, call: operator.tenants.forget(call)),
    ("POST", "/v1/provisioning-requests/{id}/retries"): Route(lambda operator, call: operator.retries.retry(call), 202),
    ("POST", "/v1/provisioning-requests/{id}/resolutions"): Route(
        lambda operator, call: operator.resolutions.resolve(call)
    ),
    ("GET", "/v1/dead-letters"): Route(lambda operator, call: operator.dead_letters.page(call)),
    ("POST", "/v1/dead-letters/redrives"): Route(lambda operator, call: operator.dead_letters.redrive(call)),
    ("POST", "/v1/dead-letters/drops"): Route(lambda operator, call: operator.dead_letters.drop(call)),
    ("GET", "/v1/sources"): Route(lambda operator, call: operator.sources.page(call)),
    ("POST", "/v1/sources/{source}/checks"): Route(lambda operator, call: operator.sources.check(call)),
    ("GET", "/v1/audit"): Route(lambda operator, call: operator.audit.page(call)),
}
"""By method and resource, as template.yaml has them."""


def _route_of(event: Mapping[str, Any]) -> Route:
    route = ROUTES.get((event["httpMethod"], event["resource"]))
    if route is None:
        raise Rejected(ProblemType.NOT_FOUND, "Unknown route.")
    return route


def _call_of(event: Mapping[str, Any], time_left: Callable[[], float]) -> Call:
    return Call(
        event["pathParameters"] or {}, query_of(event), principal_of(event) or "unknown", time_left, body_of(event)
    )
