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

from provisioner.aws_clients import clients
from provisioner.errors import Kind, Refused
from provisioner.gateway import Response, body_of, headers_of, refusal_response, response, unavailable
from provisioner.intake import Broken, Intake, Taken
from provisioner.mapping import Ignored, Source
from provisioner.secret_cache import SecretCache, SecretMissing, SecretUnavailable, SecretUnreadable
from provisioner.settings import Settings
from provisioner.signatures import Delivery, Verified, verify
from provisioner.source_keys import Keys, source_keys
from provisioner.sources import MAX_NAME
from provisioner.telemetry import count, logger


COUNTED_AS = {Kind.SOURCE_UNKNOWN: "SourceUnknown", Kind.NOT_SIGNED: "NotSigned"}


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

    intake: Intake
    keys: SecretCache[Keys]
    clock: Callable[[], float]

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.time) -> "Webhooks":
        client = clients()
        intake = Intake.from_settings(settings, client, clock)
        secretsmanager, prefix = client("secretsmanager"), settings.source_secret_prefix
        keys = source_keys(secretsmanager, prefix, time.monotonic, intake.sources.scheme_of)
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
        except Refused as refusal:
            logger.warning("refused", extra={"source": name[:MAX_NAME], "problem": refusal.problem.type})
            _count(COUNTED_AS.get(refusal.kind, "Refused"), source)
            return refusal_response(refusal.problem)
        except Exception:  # nothing of it is shown to the sender, who sends it again
            logger.exception("failed before the event was safe", extra={"source": name[:MAX_NAME]})
            _count("Unavailable", source)
            return unavailable()

    def _source(self, name: str) -> Source:
        source = self.intake.sources.find(name)
        if source is None:
            raise Refused(Kind.SOURCE_UNKNOWN, "There is no such source.")
        return source

    def _receive(self, source: Source, event: Mapping[str, Any]) -> Response:
        delivery = Delivery(headers_of(event), body_of(event), self.clock())
        verified = self._verify(source, delivery)
        if verified is None:
            raise Refused(Kind.NOT_SIGNED, "It is not signed with a secret that is active here, or not lately.")
        try:
            taken = self.intake.take(source, delivery.body, verified.id)
        except Broken as broken:
            seen = {"source": source.name, "problem": broken.problem.type, "announced": broken.announced}
            logger.warning("broken", extra={**seen, "why": broken.problem.detail})
            _count("Broken", source)
            return refusal_response(broken.problem)
        if isinstance(taken, Ignored):
            logger.info("ignored", extra={"source": source.name, "why": taken.why})
            _count("Ignored", source)
            return response(200, {"state": "ignored", "why": taken.why})
        return self._accepted(source, taken)

    def _verify(self, source: Source, delivery: Delivery) -> Verified | None:
        try:
            keys = self.keys.get(source.name)
        except SecretMissing:
            raise Refused(Kind.SOURCE_UNKNOWN, "There is no such source.") from None
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

    def _accepted(self, source: Source, taken: Taken) -> Response:
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
