"""The sources: which senders are open, and a test of each that provisions nothing."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.validation import parse_json_object, request_of
from provisioner.credentials.cache import SecretMissing, SecretUnreadable, SecretUnusable, read_secret
from provisioner.ingest.mapping import Ignored, Source, to_request
from provisioner.ingest.signatures import Delivery, verify
from provisioner.ingest.signing import signed_headers
from provisioner.ingest.signing_keys import Keys, parse_signing_keys
from provisioner.ingest.sources import Sources as SourceFiles
from provisioner.operate.action_body import action_body
from provisioner.operate.call import Answer, Call, only_known
from provisioner.operate.checks import Check, Who, failed, is_ready, ok, unknown, warning
from provisioner.operate.recent_requests import LATEST, RecentRequests, from_sources
from provisioner.operate.request_pages import state_of, summary

PATH = "/v1/webhooks/"
TEST_DELIVERY = "msg_self_test"


class StoredKeys(NamedTuple):
    """The keys that a source signs with now, as its secret holds them. ``faults``: of entries that cannot be used."""

    keys: Keys = ()
    faults: tuple[str, ...] = ()
    is_stored: bool = True


class Sources(NamedTuple):
    """The sources of this version. ``clock`` returns Unix seconds."""

    files: SourceFiles
    secretsmanager: Any
    prefix: str
    recent: RecentRequests
    clock: Callable[[], float] = time.time

    def page(self, call: Call) -> Answer:
        """Return every source, whether it has a secret, how many requests its events became within a day, and the
        latest of these.
        """
        only_known(call.query, ())
        seen = self.recent.read(self.clock(), call.time_left)
        delivered = list(from_sources(seen.requests))
        accepted = Counter(name for name, _ in delivered)
        latest = [summary(each, state_of(each, seen.unfinished)) for _, each in delivered[:LATEST]]
        return {"data": [self._shown(name, accepted) for name in self.files.names()], "latest": latest}

    def check(self, call: Call) -> Answer:
        """Sign each fixture with the stored secret, and take it through verification and mapping, and no further."""
        action_body(call)
        name = call.path["source"]
        checks = list(self._checks(name))
        return {
            "source": name,
            "ready": is_ready(checks, ("file", "secret")),
            "checks": [each.as_json() for each in checks],
        }

    def _checks(self, name: str) -> Iterator[Check]:
        try:
            source = self.files.find(name)
        except ValueError as error:
            fix = f"Fix functions/sources/{name}.toml, and deploy it."
            yield failed("file", f"The file of the source is not valid: {error}.", fix, Who.OPERATOR)
            return
        if source is None:
            known = ", ".join(self.files.names())
            raise Rejected(ProblemType.SOURCE_NOT_FOUND, f"No source {name!r} exists. The sources are: {known}.")
        yield ok("file", f"Events: {', '.join(each.name for each in source.events)}.")
        secret, keys = self._check_secret(source)
        yield secret
        for event in source.events:
            yield self._check_event(source, keys, event.name)

    def _check_secret(self, source: Source) -> tuple[Check, Keys]:
        secret_id = f"{self.prefix}/{source.name}"
        fix = f"Run close-provisioner sources add {source.name} with the sender's signing secret."
        try:
            stored = self._stored(source)
        except SecretUnreadable as error:
            return failed("secret", f"The secret {secret_id} cannot be used: {error}.", fix, Who.OPERATOR), ()
        except SecretUnusable as error:
            return unknown("secret", f"Secrets Manager could not be asked: {error}."), ()
        if not stored.is_stored:
            return failed("secret", f"No secret {secret_id} exists: every delivery gets 404.", fix, Who.OPERATOR), ()
        active = f"{len(stored.keys)} active"
        if stored.faults:
            return warning(
                "secret", f"{active}; not usable: {'; '.join(stored.faults)}.", fix, Who.OPERATOR
            ), stored.keys
        return ok("secret", f"{secret_id}, {active}."), stored.keys

    def _check_event(self, source: Source, keys: Keys, event: str) -> Check:
        name = f"event {event}"
        body = self._fixture(source, event)
        if body is None:
            return unknown(name, "This version holds no example of it.")
        if not keys:
            return unknown(name, "Not checked, since no secret can be used.")
        now = self.clock()
        headers = signed_headers(source.scheme, keys[:1], body, now=now, delivery_id=TEST_DELIVERY)
        delivery = Delivery({key.lower(): [value] for key, value in headers.items()}, body, now)
        verified = verify(source.scheme, keys, delivery, source.tolerance)
        fix = f"Compare functions/sources/{source.name}.toml with the sender's documentation."
        if verified is None:
            return failed(name, "Its example, signed with the stored secret, is not verified.", fix, Who.OPERATOR)
        try:
            mapped = to_request(source, parse_json_object(body), verified.id)
            if isinstance(mapped, Ignored):
                return failed(name, f"Its example is ignored: {mapped.reason}.", fix, Who.OPERATOR)
            request = request_of(mapped)
        except Rejected as rejection:
            return failed(name, f"Its example is rejected: {rejection}", fix, Who.OPERATOR)
        return ok(name, f"Verified and mapped: {request.label} for tenant {request.tenant!r}. Nothing was provisioned.")

    def _fixture(self, source: Source, event: str) -> bytes | None:
        path: Path = self.files.folder / "fixtures" / source.name / f"{event}.json"
        if not path.is_file():
            return None
        return json.dumps(json.loads(path.read_bytes()), separators=(",", ":")).encode()

    def _stored(self, source: Source) -> StoredKeys:
        """Read the secret itself, never a cache. Raises ``SecretUnusable``."""
        try:
            text = read_secret(self.secretsmanager, f"{self.prefix}/{source.name}")["SecretString"]
        except SecretMissing:
            return StoredKeys(is_stored=False)
        keys, faults = parse_signing_keys(source.scheme, text)
        return StoredKeys(keys, tuple(faults))

    def _shown(self, name: str, accepted: Mapping[str, int]) -> dict[str, Any]:
        shown: dict[str, Any] = {"source": name, "path": f"{PATH}{name}", "fault": None}
        try:
            source = self.files.find(name)
            stored = self._stored(source) if source else StoredKeys(is_stored=False)
        except (SecretUnusable, ValueError) as error:
            return {
                **shown,
                "secret_stored": None,
                "active_secrets": None,
                "fault": str(error),
                "accepted_last_day": accepted.get(name, 0),
            }
        return {
            **shown,
            "secret_stored": stored.is_stored,
            "active_secrets": len(stored.keys),
            "fault": "; ".join(stored.faults) or None,
            "accepted_last_day": accepted.get(name, 0),
        }
