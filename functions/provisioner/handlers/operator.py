"""The operator's API: what happened to requests, and why.

Only people and their tools call it, so it is a function of its own: no signup waits for it, starts slower because of
it, or fails with it. Each route is a row of ``ROUTES``.
"""

from provisioner.handlers.cold_start import once

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from provisioner.aws import make_clients
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.handlers.apigateway import (
    Response,
    body_of,
    principal_of,
    query_of,
    rejection_response,
    response,
    unavailable,
)
from provisioner.ledger.request_lists import RequestLists
from provisioner.operate.call import Answer, Call
from provisioner.operate.request_pages import RequestPages
from provisioner.settings import Settings
from provisioner.telemetry import count, logger


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: Any) -> Response:
    """Answer an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event, lambda: context.get_remaining_time_in_millis() / 1000)


@once
def _service() -> "Operator":
    return Operator.from_settings(Settings.from_env())


@dataclass(frozen=True, slots=True)
class Operator:
    """The handler without Lambda."""

    pages: RequestPages

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> Self:
        client = make_clients()
        lists = RequestLists(client("dynamodb"), settings.ledger_table_name)
        return cls(RequestPages(lists, settings.request_retention_days, clock))

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


class Route(NamedTuple):
    """One route: the status of its success, and the function that answers it."""

    run: Callable[[Operator, Call], Answer]
    status: int = 200


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/v1/provisioning-requests"): Route(lambda operator, call: operator.pages.page(call)),
    ("GET", "/v1/tenants/{tenant}/provisioning-requests"): Route(lambda operator, call: operator.pages.page(call)),
}
"""By method and resource, as template.yaml has them."""


def _route_of(event: Mapping[str, Any]) -> Route:
    route = ROUTES.get((event["httpMethod"], event["resource"]))
    if route is None:
        raise Rejected(ProblemType.NOT_FOUND, "Unknown route.")
    return route


def _call_of(event: Mapping[str, Any], time_left: Callable[[], float]) -> Call:
    return Call(event["pathParameters"] or {}, query_of(event), principal_of(event), time_left, body_of(event))
