"""The webhook door: POST /v1/webhooks/{source}.

    raw bytes ──► signature, and its age ──► parse ──► mapping ──► ledger, then queue ──► 202

Nothing looks at the body before its signature holds, and nothing is provisioned before the sender has its answer.
"""

import gc

gc.disable()  # while importing: nothing is garbage yet, and looking for it costs a fifth of a cold start

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from provisioner.aws import make_clients
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.credentials.cache import SecretCache, SecretMissing, SecretUnavailable, SecretUnreadable
from provisioner.handlers.apigateway import Response, body_of, headers_of, refusal_response, response, unavailable
from provisioner.ingest.ingest import Accepted, EventRejected, Ingest
from provisioner.ingest.mapping import Ignored, Source
from provisioner.ingest.signatures import Delivery, Verified, verify
from provisioner.ingest.signing_keys import Keys, make_signing_keys_cache
from provisioner.ingest.sources import MAX_NAME
from provisioner.settings import Settings
from provisioner.telemetry import count, logger

COUNTED_AS = {ProblemType.SOURCE_NOT_FOUND: "SourceNotFound", ProblemType.INVALID_SIGNATURE: "InvalidSignature"}


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], _context: Any) -> Response:
    """Answers an API Gateway proxy event (REST API, payload version 1.0)."""
    return _service().answer(event)


@cache
def _service() -> "Webhooks":
    return Webhooks.from_settings(Settings.from_env())


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The door, apart from Lambda. ``clock`` gives Unix seconds."""

    intake: Ingest
    keys: SecretCache[Keys]
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "Webhooks":
        client = make_clients()
        intake = Ingest.from_settings(settings, client, clock)
        secretsmanager, prefix = client("secretsmanager"), settings.source_secret_prefix
        keys = make_signing_keys_cache(secretsmanager, prefix, time.monotonic, intake.sources.scheme_of)
        return cls(intake, keys, clock)

    def answer(self, event: Mapping[str, Any]) -> Response:
        """The response to a proxy event.

        What a sender sent wrong is never answered with a 5xx; and nothing is with 410, which some senders take for the
        end of their subscription (Standard Webhooks, "Response codes").
        """
        name = str((event.get("pathParameters") or {}).get("source") or "")
        source = None
        try:
            source = self._source(name)
            return self._receive(source, event)
        except Rejected as rejection:
            logger.warning("refused", extra={"source": name[:MAX_NAME], "problem": rejection.problem.type})
            _count(COUNTED_AS.get(rejection.kind, "Rejected"), source)
            return refusal_response(rejection.problem)
        except Exception:  # nothing of it is shown to the sender, who sends it again
            logger.exception("failed before the event was safe", extra={"source": name[:MAX_NAME]})
            _count("Unavailable", source)
            return unavailable()

    def _source(self, name: str) -> Source:
        source = self.intake.sources.find(name)
        if source is None:
            raise Rejected(ProblemType.SOURCE_NOT_FOUND, "There is no such source.")
        return source

    def _receive(self, source: Source, event: Mapping[str, Any]) -> Response:
        delivery = Delivery(headers_of(event), body_of(event), self.clock())
        verified = self._verify(source, delivery)
        if verified is None:
            raise Rejected(
                ProblemType.INVALID_SIGNATURE, "It is not signed with a secret that is active here, or not lately."
            )
        try:
            taken = self.intake.take(source, delivery.body, verified.id)
        except EventRejected as broken:
            seen = {"source": source.name, "problem": broken.problem.type, "announced": broken.announced}
            logger.warning("broken", extra={**seen, "reason": broken.problem.detail})
            _count("EventsRejected", source)
            return refusal_response(broken.problem)
        if isinstance(taken, Ignored):
            logger.info("ignored", extra={"source": source.name, "reason": taken.reason})
            _count("Ignored", source)
            return response(200, {"state": "ignored", "reason": taken.reason})
        return self._accepted(source, taken)

    def _verify(self, source: Source, delivery: Delivery) -> Verified | None:
        try:
            keys = self.keys.get(source.name)
        except SecretMissing:
            raise Rejected(ProblemType.SOURCE_NOT_FOUND, "There is no such source.") from None
        verified = verify(source.scheme, keys, delivery, source.tolerance)
        if verified is None and (renewed := self._renewed(source, keys)) != keys:
            verified = verify(source.scheme, renewed, delivery, source.tolerance)
        return verified

    def _renewed(self, source: Source, keys: Keys) -> Keys:
        """The secret may have been rotated; if that cannot be known now, it was not."""
        try:
            return self.keys.get(source.name, keys)
        except (SecretMissing, SecretUnreadable, SecretUnavailable):
            return keys

    def _accepted(self, source: Source, taken: Accepted) -> Response:
        record = taken.record
        seen = {"source": source.name, "tenant": record.tenant, "request_id": record.request_id, "id": record.id}
        if not taken.queued:
            logger.error("the queue could not be reached; the sweeper will find the request", extra=seen)
        logger.info("accepted" if record.fresh else "delivered again", extra=seen)
        _count("Accepted" if record.fresh else "Redelivered", source)
        state = "settled" if record.outcome else "accepted"
        shown = {"id": record.id, "tenant": record.tenant, "request_id": record.request_id, "state": state}
        return response(202, shown)


def _count(name: str, source: Source | None) -> None:
    """By source, where there is one: names that strangers make up must not make metrics."""
    count([name], **({"source": source.name} if source else {}))


gc.freeze()
gc.enable()
