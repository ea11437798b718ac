"""The HTTP API: POST /v1/provisioning-requests, GET /v1/provisioning-requests/{id}, POST /v1/plans.

Each route exists below /v1/tenants/{tenant}, too, where it acts for that tenant only: an IAM policy names paths.

A request is stored in the ledger and sent to the queue, with a delay, before any other work. Then it is reconciled
while the caller waits. If that does not settle it, or the function dies at any line, the delayed message continues it.
"""

from provisioner.handlers.cold_start import once

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable, make_problem
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.contract.validation import BlueprintRejected, parse_request
from provisioner.handlers.apigateway import (
    RETRY_AFTER_SECONDS,
    Response,
    body_of,
    check_media_type,
    headers_of,
    idempotency_key,
    prefers_async,
    prefers_text,
    principal_of,
    problem_response,
    rejection_response,
    response,
    unavailable,
)
from provisioner.handlers.request_log import close_answers, invocation_of, log_queue_error, log_settled, request_keys
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, RequestRecord
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.render import plan_as_json, plan_as_text
from provisioner.reconcile.retries import Deferred
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import count, logger, measure

ROUTES = {"/v1/provisioning-requests": "POST", "/v1/provisioning-requests/{id}": "GET", "/v1/plans": "POST"}
OF_TENANT = "/v1/tenants/{tenant}/"
REQUEST_KEY = re.compile(r"[0-9a-f]{32}")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> Response:
    """Answer an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event, lambda: context.get_remaining_time_in_millis() / 1000)


@once
def _service() -> "Api":
    return Api(Service.from_settings(Settings.from_env()))


@dataclass(frozen=True, slots=True)
class Api:
    """The handler without Lambda. ``time_left`` returns the seconds that the function may still run."""

    service: Service

    def answer(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        """Return the response to a proxy event. Errors are RFC 9457 problems."""
        try:
            return self._route(event, time_left)
        except Rejected as rejection:
            count(["Rejected"])
            logger.info("rejected", extra={"problem": rejection.problem.type, "reason": str(rejection)})
            allow = {"Allow": ROUTES[_route_of(event)]} if rejection.kind is ProblemType.METHOD_NOT_ALLOWED else None
            return rejection_response(rejection.problem, allow)
        except Exception:  # the caller sees none of it, and may safely repeat the request
            logger.exception("failed before the request was accepted")
            count(["Unavailable"])
            return unavailable()

    def _route(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        match _route_of(event), event["httpMethod"]:
            case "/v1/provisioning-requests", "POST":
                return self._provision(event, time_left)
            case "/v1/provisioning-requests/{id}", "GET":
                return self._get_request(event["pathParameters"]["id"], _tenant_of(event))
            case "/v1/plans", "POST":
                return self._plan(event, time_left)
            case route, method if route in ROUTES:
                raise Rejected(ProblemType.METHOD_NOT_ALLOWED, f"This route does not support {method}.")
        raise Rejected(ProblemType.NOT_FOUND, "Unknown route.")

    def _provision(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        headers = headers_of(event)
        check_media_type(headers)
        try:
            request = parse_request(body_of(event), key=idempotency_key(headers), tenant=_tenant_of(event))
        except BlueprintRejected as rejection:
            return _replayed(self.service.outbox.accepted_before(rejection))
        self._check_tenant(request)
        respond_async = prefers_async(headers)
        delay = 0 if respond_async else self.service.settings.fallback_delay_seconds
        accepted = self.service.outbox.accept(request, delay, Requester("http", principal_of(event)))
        record = accepted.record
        if not record.fresh:
            return _replayed(record)
        log_queue_error(record, accepted.queue_error)
        if respond_async and not accepted.queue_error:
            count(["Accepted"])
            return _accepted(record, RETRY_AFTER_SECONDS, {"Preference-Applied": "respond-async"})
        return self._reconcile(record, request, time_left)

    def _plan(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        """Return the plan as JSON, or as text if the caller prefers it. Write nothing."""
        headers = headers_of(event)
        check_media_type(headers)
        request = parse_request(
            body_of(event), key=idempotency_key(headers), fallback_id="plan", tenant=_tenant_of(event)
        )
        organization = self.service.organization(request.tenant, time_left)
        try:
            planned = self.service.provisioner.plan(request, organization)
        except Rejected as rejection:
            logger.info("could not plan", extra={"tenant": request.tenant, "problem": rejection.problem.type})
            raise rejection.repointed(request.existing_pointer) from None
        except (RetryLater, Unavailable) as error:
            logger.info("could not plan", extra={"tenant": request.tenant, "reason": str(error)})
            return _unavailable(error)
        count(["Planned"])
        logger.info("planned", extra={"tenant": request.tenant, "steps": len(planned.steps)})
        if prefers_text(headers):
            return response(200, plan_as_text(planned), {"Content-Type": "text/plain; charset=utf-8"})
        return response(200, plan_as_json(planned))

    def _check_tenant(self, request: ProvisioningRequest) -> None:
        """Reject an unknown tenant early, unless the request waits for it. Accept if Secrets Manager is unavailable."""
        try:
            self.service.tenants.credential(request.tenant)
        except Rejected as rejection:
            may_wait = rejection.kind is not ProblemType.TENANT_NOT_FOUND or request.may_wait_for_tenant
            if not may_wait and not self.service.ledger.find(request.id):  # a repeated request gets its stored response
                raise
        except Unavailable as error:
            logger.warning("the tenant could not be checked", extra={"tenant": request.tenant, "reason": str(error)})

    def _reconcile(
        self, record: RequestRecord, request: ProvisioningRequest, time_left: Callable[[], float]
    ) -> Response:
        organization = self.service.organization(request.tenant, time_left)
        try:
            result = self.service.provisioner.reconcile(Job(record, request, organization, invocation_of("http")))
        except Exception:  # the request is stored, and the delayed message continues it
            logger.exception("the request was left to the worker", extra=request_keys(record))
            count(["Retried"])
            return self._current_state(record)
        if isinstance(result, Deferred):
            logger.info("deferred", extra={**request_keys(record), "seconds": result.seconds, "reason": result.reason})
            count(["Deferred", *close_answers(organization.calls)])
            return _accepted(replace(record, pending_reason=result.reason), self._reschedule(record, request, result))
        log_settled(result, request_keys(record))
        measure("TimeToOutcome", [self.service.provisioner.clock() - record.accepted_at])
        count([result.result.capitalize(), *close_answers(organization.calls)])
        return _settled(record, result)

    def _reschedule(self, record: RequestRecord, request: ProvisioningRequest, wait: Deferred) -> int:
        """Send a message due after the wait, and return the seconds after which the caller may ask again."""
        if not wait.exceeds_queue_delay:
            log_queue_error(record, self.service.outbox.send(record.body, request.tenant, wait.deferrals, wait.seconds))
        return min(math.ceil(wait.seconds), MAX_QUEUE_DELAY_SECONDS) + 1

    def _current_state(self, record: RequestRecord) -> Response:
        """Return the stored state after a failure: the request may be settled, with only its publishing left."""
        found = self.service.ledger.find(record.id)
        if found and found.outcome:
            return _settled(record, found.outcome)
        return _accepted(record, self.service.settings.fallback_delay_seconds)

    def _get_request(self, request_key: str, tenant: str | None) -> Response:
        found = self.service.ledger.find(request_key) if REQUEST_KEY.fullmatch(request_key) else None
        if not found or tenant not in {None, found.tenant}:
            raise Rejected(ProblemType.REQUEST_NOT_FOUND, "No request has this id, or its retention has ended.")
        headers = {} if found.outcome else {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return response(200, _representation(found, found.outcome), headers)


def _tenant_of(event: Mapping[str, Any]) -> str | None:
    """Return the tenant that the path names, if the route is one of a tenant."""
    return str(event["pathParameters"]["tenant"]) if event["resource"].startswith(OF_TENANT) else None


def _route_of(event: Mapping[str, Any]) -> str:
    """Return the route without its tenant: what it does is the same."""
    resource: str = event["resource"]
    return f"/v1/{resource.removeprefix(OF_TENANT)}" if resource.startswith(OF_TENANT) else resource


def _representation(record: RequestRecord, outcome: Outcome | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": record.id,
        "tenant": record.tenant,
        "request_id": record.request_id,
        "state": "settled" if outcome else "accepted",
    }
    if outcome:
        shown["outcome"] = outcome.as_json()
    elif record.pending_reason:
        shown["pending_reason"] = record.pending_reason
    return shown


def _replayed(record: RequestRecord) -> Response:
    """Return the answer to a request that was accepted before."""
    if record.outcome is None:
        return _accepted(record, RETRY_AFTER_SECONDS)
    count(["Replayed"])
    return _settled(record, record.outcome, {"Idempotency-Replayed": "true"})


def _accepted(record: RequestRecord, retry_after: int, headers: Mapping[str, str] | None = None) -> Response:
    return response(
        202, _representation(record, None), _with_location(record, {"Retry-After": str(retry_after), **(headers or {})})
    )


def _with_location(record: RequestRecord, headers: Mapping[str, str] | None) -> dict[str, str]:
    # Relative to the URL of the request, so that it holds behind any stage, base path or custom domain (RFC 9110).
    return {"Location": f"provisioning-requests/{record.id}", **(headers or {})}


def _settled(record: RequestRecord, outcome: Outcome, headers: Mapping[str, str] | None = None) -> Response:
    if outcome.problem:
        shown = outcome.problem.model_dump(mode="json")
        return problem_response(
            outcome.problem.status, shown | _representation(record, outcome), _with_location(record, headers)
        )
    status = 201 if outcome.result in {Result.CREATED, Result.RECOVERED} else 200
    return response(status, _representation(record, outcome), _with_location(record, headers))


def _unavailable(error: RetryLater | Unavailable) -> Response:
    """Return the response to a plan for which Close could not be read."""
    seconds = math.ceil(error.seconds) if isinstance(error, RetryLater) else RETRY_AFTER_SECONDS
    problem = make_problem(
        ProblemType.UNAVAILABLE,
        f"The plan needs Close, which could not be read: {error}. Send the request again later.",
    )
    return rejection_response(problem, {"Retry-After": str(max(seconds, 1))})
