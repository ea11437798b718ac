"""The event door: what rules on EventBridge's buses hand over.

    "Provisioning Requested" ── a request as its detail ──────────────► ledger, then queue
    a partner's event ──── the source that delivers there ── mapping ──┘
    a call to Secrets Manager ── a tenant's secret is there ── whoever waits for it ──► queue

Nothing here is signed: IAM says who may put events on the bus, and nobody but the partner can on a partner's.
What raises is delivered again by Lambda, and then lies on the dead-letter queue of this door.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from time import time
from typing import Any

from provisioner.aws import make_clients
from provisioner.contract.errors import Rejected
from provisioner.contract.parsing import parse_request
from provisioner.contract.request import valid_identifier_or
from provisioner.credentials.cloudtrail import tenants_affected_by
from provisioner.ingest.ingest import Accepted, EventRejected, Ingest
from provisioner.ingest.mapping import Ignored
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

REQUESTED = "Provisioning Requested"
CALLED = "AWS API Call via CloudTrail"


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], _context: Any) -> None:
    """Takes one event of EventBridge (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)."""
    _service().take(event)


@cache
def _service() -> "Events":
    settings = Settings.from_env()
    return Events(Ingest.from_settings(settings, make_clients(), time), settings.tenant_secret_prefix)


@dataclass(frozen=True, slots=True)
class Events:
    """The door, apart from Lambda."""

    intake: Ingest
    tenant_secret_prefix: str

    def take(self, event: Mapping[str, Any]) -> None:
        """Stores and queues what the event asks for. What cannot be understood is announced as failed."""
        if event["detail-type"] == CALLED:
            self._called(event["detail"])
            return
        seen = {"event_id": event["id"], "from": event["source"], "detail_type": event["detail-type"]}
        try:
            taken = self._requested(event) if event["detail-type"] == REQUESTED else self._told_by_partner(event)
        except EventRejected as broken:
            logger.warning("broken", extra={**seen, "problem": broken.problem.type, "reason": broken.problem.detail})
            count(["EventsRejected"], source=_counted_by(event))
            return
        if isinstance(taken, Ignored):
            logger.info("ignored", extra={**seen, "reason": taken.reason})
            count(["Ignored"], source=_counted_by(event))
            return
        record = taken.record
        seen |= {"tenant": record.tenant, "request_id": record.request_id, "id": record.id}
        if not taken.queued:
            logger.error("the queue could not be reached; the sweeper will find the request", extra=seen)
        logger.info("accepted" if record.fresh else "delivered again", extra=seen)
        count(["Accepted" if record.fresh else "Redelivered"], source=_counted_by(event))

    def _requested(self, event: Mapping[str, Any]) -> Accepted:
        detail = event["detail"]
        try:
            return self.intake.submit(parse_request(json.dumps(detail), fallback_id=event["id"]))
        except Rejected as rejection:
            request_id = valid_identifier_or(detail.get("request_id"), event["id"])
            tenant = valid_identifier_or(detail.get("tenant", "default"), "unknown")
            raise self.intake.report(f"eventbridge/{event['id']}", request_id, tenant, rejection) from None

    def _called(self, detail: Mapping[str, Any]) -> None:
        for tenant in tenants_affected_by(detail, self.tenant_secret_prefix):
            woken = self.intake.wake(tenant)
            logger.info("a tenant's secret was stored", extra={"tenant": tenant, "woken": len(woken)})
            count(["Resumed"] * len(woken))

    def _told_by_partner(self, event: Mapping[str, Any]) -> Accepted | Ignored:
        source = self.intake.sources.of_partner(event["source"])
        if source is None:
            return Ignored("no source delivers there")
        return self.intake.take(source, json.dumps(event["detail"]).encode())


def _counted_by(event: Mapping[str, Any]) -> str:
    """Partners' names hold ids of accounts, which make no good dimension."""
    return "/".join(str(event["source"]).split("/")[:2])[:64]
