"""The HTTP door: POST /v1/provisioning-requests, GET /v1/provisioning-requests/{id}, POST /v1/plans.

A request is in the ledger and on the queue before anything else is done with it. Then it is worked on while its caller
waits; if that does not settle it, or the function dies at any line, the delayed message carries it on.
"""

import gc

gc.disable()  # while importing: nothing is garbage yet, and looking for it costs a fifth of a cold start

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable, make_problem
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.parsing import parse_request
from provisioner.contract.request import ProvisioningRequest
from provisioner.handlers.apigateway import (
    RETRY_AFTER_SECONDS,
    Response,
    body_of,
    headers_of,
    problem_response,
    refusal_response,
    response,
    unavailable,
)
from provisioner.ledger.models import MAX_QUEUE_DELAY_SECONDS, RequestRecord
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.render import plan_as_json, plan_as_text
from provisioner.reconcile.retries import Deferred
from provisioner.service import Service
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

ON_QUEUE_SECONDS = 60  # a message is delivered well within this time after its delay
ROUTES = {"/v1/provisioning-requests": "POST", "/v1/provisioning-requests/{id}": "GET", "/v1/plans": "POST"}
REQUEST_KEY = re.compile(r"[0-9a-f]{32}")


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> Response:
    """Answers an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event, lambda: context.get_remaining_time_in_millis() / 1000)


@cache
def _service() -> "Api":
    return Api(Service.from_settings(Settings.from_env()))


@dataclass(frozen=True, slots=True)
class Api:
    """The door, apart from Lambda."""

    service: Service

    def answer(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        """The response to a proxy event; every refusal is an RFC 9457 problem."""
        try:
            return self._route(event, time_left)
        except Rejected as rejection:
            count(["Rejected"])
            logger.info("refused", extra={"problem": rejection.problem.type, "detail": str(rejection)})
            allow = {"Allow": ROUTES[event["resource"]]} if rejection.kind is ProblemType.METHOD_NOT_ALLOWED else None
            return refusal_response(rejection.problem, allow)
        except Exception:  # nothing of it is shown to the caller; asking again under the same id is safe
            logger.exception("failed before the request was accepted")
            count(["Unavailable"])
            return unavailable()

    def _route(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        match event["resource"], event["httpMethod"]:
            case "/v1/provisioning-requests", "POST":
                return self._provision(event, time_left)
            case "/v1/provisioning-requests/{id}", "GET":
                return self._show(event["pathParameters"]["id"])
            case "/v1/plans", "POST":
                return self._plan(event, time_left)
            case resource, method if resource in ROUTES:
                raise Rejected(ProblemType.METHOD_NOT_ALLOWED, f"{method} is not offered here.")
        raise Rejected(ProblemType.NOT_FOUND, "No such route.")

    def _provision(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        headers = headers_of(event)
        _check_media_type(headers)
        request = parse_request(body_of(event), key=_idempotency_key(headers))
        self._check_tenant(request)
        delay = self.service.settings.fallback_delay_seconds
        record = self.service.ledger.accept(request, expected_after=delay + ON_QUEUE_SECONDS)
        if record.outcome:
            count(["Replayed"])
            return _settled(record, record.outcome, {"Idempotency-Replayed": "true"})
        if not record.fresh:
            return _accepted(record, RETRY_AFTER_SECONDS)
        respond_async = "respond-async" in _preferences(headers)
        if self._put_on_queue(request, record.deferrals, 0 if respond_async else delay) and respond_async:
            count(["Accepted"])
            return _accepted(record, RETRY_AFTER_SECONDS, {"Preference-Applied": "respond-async"})
        return self._carry_out(record, request, time_left)

    def _plan(self, event: Mapping[str, Any], time_left: Callable[[], float]) -> Response:
        """What would be done, as JSON or, where the caller likes text better, as text. Nothing is written anywhere."""
        headers = headers_of(event)
        _check_media_type(headers)
        request = parse_request(body_of(event), key=_idempotency_key(headers), fallback_id="plan")
        organization = self.service.organization(request.tenant, time_left)
        try:
            planned = self.service.provisioner.plan(request, organization)
        except (RetryLater, Unavailable) as error:
            logger.info("could not plan", extra={"tenant": request.tenant, "reason": str(error)})
            return _not_now(error)
        count(["Planned"])
        logger.info("planned", extra={"tenant": request.tenant, "steps": len(planned.steps)})
        if _prefers_text(headers):
            return response(200, plan_as_text(planned), {"Content-Type": "text/plain; charset=utf-8"})
        return response(200, plan_as_json(planned))

    def _check_tenant(self, request: ProvisioningRequest) -> None:
        """Refuse a tenant that is surely not there, and not to be waited for; where that cannot be known, take it."""
        try:
            self.service.tenants.credential(request.tenant)
        except Rejected as rejection:
            may_wait = rejection.kind is not ProblemType.TENANT_NOT_FOUND or request.wait_for_tenant
            if not may_wait and not self.service.ledger.find(request.id):  # what was taken before has its answer
                raise
        except Unavailable as error:
            logger.warning("the tenant could not be checked", extra={"tenant": request.tenant, "reason": str(error)})

    def _put_on_queue(self, request: ProvisioningRequest, deferrals: int, delay_seconds: float) -> bool:
        """The request is in the ledger already: should the queue fail, the sweeper finds it there."""
        try:
            self.service.queue.send(request.to_json(), request.tenant, deferrals, delay_seconds)
        except (BotoCoreError, ClientError):
            logger.exception("the queue could not be reached; the sweeper will find the request")
            return False
        return True

    def _carry_out(
        self, record: RequestRecord, request: ProvisioningRequest, time_left: Callable[[], float]
    ) -> Response:
        organization = self.service.organization(request.tenant, time_left)
        seen = {"tenant": record.tenant, "request_id": record.request_id, "id": record.id}
        try:
            result = self.service.provisioner.reconcile(Job(record, request, organization))
        except Exception:  # whatever it is, the request is safe: the message that waits on the queue carries it on
            logger.exception("the request was left to the worker", extra=seen)
            count(["Retried"])
            return self._as_it_stands(record)
        if isinstance(result, Deferred):
            logger.info("waits", extra={**seen, "seconds": result.seconds, "reason": result.reason})
            count(["Deferred"])
            return _accepted(replace(record, pending_reason=result.reason), self._come_back(request, result))
        logger.info("settled", extra={**seen, "result": result.result, "attempts": result.attempts})
        count([result.result.capitalize()])
        return _settled(record, result)

    def _come_back(self, request: ProvisioningRequest, wait: Deferred) -> int:
        """Send another message in place of the fallback. Return when to ask again (seconds)."""
        if not wait.exceeds_queue_delay:
            self._put_on_queue(request, wait.deferrals, wait.seconds)
        return min(math.ceil(wait.seconds), MAX_QUEUE_DELAY_SECONDS) + 1

    def _as_it_stands(self, record: RequestRecord) -> Response:
        """After a failure: it may be settled all the same, and only its announcement be left to the worker."""
        found = self.service.ledger.find(record.id)
        if found and found[0].outcome:
            return _settled(record, found[0].outcome)
        return _accepted(record, self.service.settings.fallback_delay_seconds)

    def _show(self, request_key: str) -> Response:
        found = self.service.ledger.find(request_key) if REQUEST_KEY.fullmatch(request_key) else None
        if not found:
            raise Rejected(ProblemType.REQUEST_NOT_FOUND, "No request of this id is remembered.")
        record, _ = found
        headers = {} if record.outcome else {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return response(200, _representation(record, record.outcome), headers)


def _check_media_type(headers: Mapping[str, list[str]]) -> None:
    for value in headers.get("content-type", []):
        media_type = value.partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Rejected(ProblemType.UNSUPPORTED_MEDIA_TYPE, "Send the request as application/json.")


def _idempotency_key(headers: Mapping[str, list[str]]) -> str | None:
    """The key, quoted (as in the IETF draft) or bare; more than one is refused, not guessed at."""
    values = {value.strip().removeprefix('"').removesuffix('"') for value in headers.get("idempotency-key", [])}
    if len(values) > 1:
        raise Rejected(ProblemType.INVALID_REQUEST, "More than one Idempotency-Key was sent.")
    return values.pop() if values else None


def _preferences(headers: Mapping[str, list[str]]) -> set[str]:
    return {each.strip().lower() for value in headers.get("prefer", []) for each in re.split("[,;]", value)}


def _prefers_text(headers: Mapping[str, list[str]]) -> bool:
    """Whether the first of text/plain and JSON that the caller accepts is the text."""
    accepted = [
        each.partition(";")[0].strip().lower() for value in headers.get("accept", []) for each in value.split(",")
    ]
    return next((each for each in accepted if each in {"text/plain", "application/json", "*/*"}), "") == "text/plain"


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
        shown["waiting"] = record.pending_reason
    return shown


def _accepted(record: RequestRecord, retry_after: int, headers: Mapping[str, str] | None = None) -> Response:
    return response(
        202, _representation(record, None), _located(record, {"Retry-After": str(retry_after), **(headers or {})})
    )


def _located(record: RequestRecord, headers: Mapping[str, str] | None) -> dict[str, str]:
    # Relative to the request's own URL, so that it holds behind any stage, base path or custom domain (RFC 9110).
    return {"Location": f"provisioning-requests/{record.id}", **(headers or {})}


def _settled(record: RequestRecord, outcome: Outcome, headers: Mapping[str, str] | None = None) -> Response:
    if outcome.problem:
        shown = outcome.problem.model_dump(mode="json")
        return problem_response(
            outcome.problem.status, shown | _representation(record, outcome), _located(record, headers)
        )
    status = 201 if outcome.result in {Result.CREATED, Result.RECOVERED} else 200
    return response(status, _representation(record, outcome), _located(record, headers))


def _not_now(error: RetryLater | Unavailable) -> Response:
    """Close cannot be asked at the moment."""
    seconds = math.ceil(error.seconds) if isinstance(error, RetryLater) else RETRY_AFTER_SECONDS
    fault = make_problem(ProblemType.UNAVAILABLE, f"It cannot be planned at the moment: {error}.")
    return refusal_response(fault, {"Retry-After": str(max(seconds, 1))})


gc.freeze()
gc.enable()
