"""Webhooks: POST /v1/webhooks/{source}.

    raw bytes ──► signature, and its age ──► parse ──► mapping ──► ledger, then queue ──► 202

The body is not parsed before its signature is verified, and Close is not called before the sender has its response.
"""

from provisioner.handlers.cold_start import once

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.aws import make_clients
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.credentials.cache import SecretCache, SecretMissing, SecretUnusable
from provisioner.handlers.apigateway import (
    Response,
    body_of,
    headers_of,
    rejection_response,
    response,
    unavailable,
    unwrapped_form,
)
from provisioner.handlers.request_log import log_accepted
from provisioner.ingest.ingest import AcceptedEvent, EventRejected, Ingest
from provisioner.ingest.mapping import Ignored, Source
from provisioner.ingest.signatures import Delivery, Verified, verify
from provisioner.ingest.signing_keys import Keys, make_signing_keys_cache
from provisioner.ingest.sources import MAX_NAME
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

COUNTED_AS = {ProblemType.SOURCE_NOT_FOUND: "SourceNotFound", ProblemType.INVALID_SIGNATURE: "InvalidSignature"}


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], _context: Any) -> Response:
    """Answer an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event)


@once
def _service() -> "Webhooks":
    return Webhooks.from_settings(Settings.from_env())


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The handler without Lambda. ``clock`` returns Unix seconds."""

    ingest: Ingest
    keys: SecretCache[Keys]
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "Webhooks":
        client = make_clients()
        ingest = Ingest.from_settings(settings, client, clock)
        secretsmanager, prefix = client("secretsmanager"), settings.source_secret_prefix
        scheme_of = ingest.sources.scheme_of
        keys = make_signing_keys_cache(secretsmanager, prefix, time.monotonic, scheme_of, report_unusable_secret)
        return cls(ingest, keys, clock)

    def answer(self, event: Mapping[str, Any]) -> Response:
        """Return the response to a proxy event.

        A sender's mistake never gets a 5xx. No response is a 410, by which some senders end their subscription
        (Standard Webhooks, "Response codes").
        """
        name = str((event.get("pathParameters") or {}).get("source") or "")
        source = None
        try:
            source = self._source(name)
            return self._receive(source, event)
        except Rejected as rejection:
            logger.warning("rejected", extra={"source": name[:MAX_NAME], "problem": rejection.problem.type})
            _count(COUNTED_AS.get(rejection.kind, "Rejected"), source)
            return rejection_response(rejection.problem)
        except SecretUnusable as unusable:  # the sender delivers again, until the operator has fixed it
            logger.warning("the source's secret cannot be used", extra={"source": name, "reason": str(unusable)})
            _count("Unavailable", source)
            return unavailable()
        except Exception:  # the sender sees none of it, and delivers again
            logger.exception("failed before the event was safe", extra={"source": name[:MAX_NAME]})
            _count("Unavailable", source)
            return unavailable()

    def _source(self, name: str) -> Source:
        source = self.ingest.sources.find(name)
        if source is None:
            raise Rejected(ProblemType.SOURCE_NOT_FOUND, "Unknown source.")
        return source

    def _receive(self, source: Source, event: Mapping[str, Any]) -> Response:
        delivery = Delivery(headers_of(event), body_of(event), self.clock())
        verified = self._verify(source, delivery)
        if verified is None:
            raise Rejected(
                ProblemType.INVALID_SIGNATURE, "Invalid signature, or a timestamp outside the source's tolerance."
            )
        try:
            accepted = self.ingest.ingest(source, unwrapped_form(delivery.body), verified.id)
        except EventRejected as rejected:
            log_keys = {"source": source.name, "problem": rejected.problem.type, "published": rejected.published}
            logger.warning("event rejected", extra={**log_keys, "reason": rejected.problem.detail})
            _count("EventsRejected", source)
            return rejection_response(rejected.problem)
        if isinstance(accepted, Ignored):
            logger.info("ignored", extra={"source": source.name, "reason": accepted.reason})
            _count("Ignored", source)
            return response(200, {"state": "ignored", "reason": accepted.reason})
        return self._accepted(source, accepted)

    def _verify(self, source: Source, delivery: Delivery) -> Verified | None:
        try:
            keys = self.keys.get(source.name)
        except SecretMissing:
            raise Rejected(ProblemType.SOURCE_NOT_FOUND, "Unknown source.") from None
        verified = verify(source.scheme, keys, delivery, source.tolerance)
        if verified is None and (rotated := self._read_again(source, keys)) != keys:
            verified = verify(source.scheme, rotated, delivery, source.tolerance)
        return verified

    def _read_again(self, source: Source, keys: Keys) -> Keys:
        """Return the keys as Secrets Manager holds them now, or the known ones if they cannot be read."""
        try:
            return self.keys.get(source.name, keys)
        except SecretUnusable:
            return keys

    def _accepted(self, source: Source, accepted: AcceptedEvent) -> Response:
        record = accepted.record
        log_accepted(accepted, source=source.name)
        _count("Accepted" if record.fresh else "Redelivered", source)
        state = "settled" if record.outcome else "accepted"
        return response(
            202, {"id": record.id, "tenant": record.tenant, "request_id": record.request_id, "state": state}
        )


def report_unusable_secret(source: str, reason: str) -> None:
    """Let the operator know, at each read: at most twice a minute, however many deliveries arrive."""
    logger.error("a secret is unusable", extra={"source": source, "reason": reason})
    count(["SecretEntryUnusable"], source=source)


def _count(name: str, source: Source | None) -> None:
    """Count by source, if it is known: callers without a signature could otherwise make metrics by inventing names."""
    count([name], **({"source": source.name} if source else {}))
