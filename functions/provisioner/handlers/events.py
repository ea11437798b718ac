"""EventBridge: the events that the rules of its buses deliver.

    "Provisioning Requested" ── a request as its detail ─────────────► ledger, then queue
    a partner event ──── the source of that partner ── mapping ─────────────┘
    a call to Secrets Manager ── a tenant's secret was stored ── its waiting requests ──► queue

No event is signed: IAM limits who may put events on a bus of the account, and only the partner can put them on its own.
EventBridge reserves sources that begin with "aws.", so the source says where an event comes from. Its detail-type is
the sender's own choice.
Lambda retries an event whose invocation failed, then sends it to the dead-letter queue of this handler.
"""

from provisioner.handlers.cold_start import once

from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from provisioner.aws import make_clients
from provisioner.contract.announced_as import announced_as
from provisioner.contract.errors import ErrorDetail, Rejected
from provisioner.contract.faults import invalid
from provisioner.contract.request import Requester
from provisioner.contract.validation import json_bytes
from provisioner.credentials.cloudtrail import tenants_affected_by
from provisioner.handlers.request_log import log_accepted
from provisioner.ingest.ingest import AcceptedEvent, EventRejected, Ingest
from provisioner.ingest.mapping import Ignored
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

REQUESTED = "Provisioning Requested"
CALLED = "AWS API Call via CloudTrail"
SECRETS_MANAGER = "aws.secretsmanager"
PARTNERS = "aws.partner/"


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], _context: Any) -> None:
    """Handle one event of EventBridge (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)."""
    _service().handle(event)


@once
def _service() -> "Events":
    settings = Settings.from_env()
    return Events(Ingest.from_settings(settings, make_clients(), time), settings.tenant_secret_prefix)


@dataclass(frozen=True, slots=True)
class Events:
    """The handler without Lambda."""

    ingest: Ingest
    tenant_secret_prefix: str

    def handle(self, event: Mapping[str, Any]) -> None:
        """Store and queue the request of the event. Publish an event that cannot be mapped as failed."""
        if (event["source"], event["detail-type"]) == (SECRETS_MANAGER, CALLED):
            self._resume_waiting(event.get("detail"))
            return
        log_keys = {"event_id": event["id"], "from": event["source"], "detail_type": event["detail-type"]}
        try:
            accepted = self._requested(event) if _is_request(event) else self._from_partner(event)
        except EventRejected as rejected:
            problem = rejected.problem
            logger.warning("event rejected", extra={**log_keys, "problem": problem.type, "reason": problem.detail})
            count(["EventsRejected"], source=self._source_dimension(event))
            return
        if isinstance(accepted, Ignored):
            logger.info("ignored", extra={**log_keys, "reason": accepted.reason})
            count(["Ignored"], source=self._source_dimension(event))
            return
        log_accepted(accepted, **log_keys)
        count(["Accepted" if accepted.record.fresh else "Redelivered"], source=self._source_dimension(event))

    def _requested(self, event: Mapping[str, Any]) -> AcceptedEvent:
        detail, requester = event.get("detail"), Requester("eventbridge", f"event:{event['source']}")
        try:
            if not isinstance(detail, dict):
                invalid(ErrorDetail(pointer="", detail="the event's detail must be a JSON object"))
            return self.ingest.submit(detail, requester, fallback_id=event["id"])
        except Rejected as rejection:
            tenant, request_id = announced_as(detail, event["id"])
            names = (f"eventbridge/{event['id']}", request_id, tenant)
            raise self.ingest.reject(names, rejection, requester) from None

    def _resume_waiting(self, detail: object) -> None:
        if not isinstance(detail, Mapping):
            return
        for tenant in tenants_affected_by(detail, self.tenant_secret_prefix):
            resumed = self.ingest.resume_waiting(tenant)
            logger.info("a tenant's secret was stored", extra={"tenant": tenant, "resumed": len(resumed)})
            count(["Resumed"] * len(resumed))

    def _from_partner(self, event: Mapping[str, Any]) -> AcceptedEvent | Ignored:
        source = self.ingest.sources.of_partner(event["source"])
        if source is None:
            return Ignored("no source names this partner")
        try:
            detail = json_bytes(event.get("detail"))
        except Rejected as rejection:
            names = (source.name, event["id"], None)
            raise self.ingest.reject(names, rejection, Requester("eventbridge", f"source:{source.name}")) from None
        return self.ingest.ingest(source, detail, entry_point="eventbridge")

    def _source_dimension(self, event: Mapping[str, Any]) -> str:
        """Return the source of a partner, or a constant: each other text of the bus would make a metric of its own."""
        if _is_request(event):
            return "eventbridge"
        source = self.ingest.sources.of_partner(event["source"])
        return source.name if source else "unknown"


def _is_request(event: Mapping[str, Any]) -> bool:
    """Whether the detail is a request. That of a partner never is: it is mapped, and its source limits the tenants."""
    return event["detail-type"] == REQUESTED and not event["source"].startswith(PARTNERS)
