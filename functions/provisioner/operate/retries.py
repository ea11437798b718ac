"""Retry a settled request: the same body, or an edited one, under a new id that is linked with the old one.

The outcome of a settled request never changes, so a retry is a request of its own. It is accepted like every other
one: in the ledger first, then on the queue, where the worker takes it up under the same rules.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from provisioner.contract.errors import ErrorDetail, ProblemType, Rejected
from provisioner.contract.faults import invalid
from provisioner.contract.request import ProvisioningRequest, Requester
from provisioner.contract.validation import request_of
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.retried_requests import AlreadyRetried, IdTaken, RetryLedger, retried_as
from provisioner.ledger.store import Ledger
from provisioner.messaging.outbox import Outbox
from provisioner.messaging.queue import Queue
from provisioner.operate.action_body import action_body, reason_in
from provisioner.operate.audit import Audit
from provisioner.operate.call import Answer, Call
from provisioner.operate.records import find_request

MAX_RETRIES = 20
"""Retries of one request, the retries of its retries included. An operator who needs more has not fixed the cause."""
MAX_ID = 128
SUFFIX = re.compile(r"\.retry-([1-9][0-9]?)$")


class Retries(NamedTuple):
    """The retries of requests."""

    ledger: Ledger
    queue: Queue
    audit: Audit

    def retry(self, call: Call) -> Answer:
        """Accept a retry, and return its names. Repeated with the same body while it waits, return the same one."""
        body = action_body(call, "body")
        original = find_request(self.ledger, call.path["id"])
        request = _request(original, body.get("body"))
        target = f"{original.tenant}/{original.request_id}"
        with self.audit.recorded(call, "retry", target, reason_in(body)) as action:
            record = self._accept(original, request, Requester("http", call.principal))
            action.result = f"accepted as {record.request_id}"
        return {"id": record.id, "request_id": record.request_id, "tenant": record.tenant, "retry_of": original.id}

    def _accept(self, original: RequestRecord, request: ProvisioningRequest, requester: Requester) -> RequestRecord:
        if original.outcome is None:
            _forbid(f"Request {original.request_id!r} is not settled yet. It is tried again by itself.")
        known_as = retried_as(self.ledger, original.id)
        latest = self.ledger.find(known_as) if known_as else None
        if latest and (answer := _before(latest, request, original)):
            return answer
        base, number = _numbered(original.request_id)
        first = max(number, _numbered(latest.request_id)[1] if latest else 0) + 1
        outbox = Outbox(RetryLedger(self.ledger, original, known_as), self.queue)
        for each in range(first, MAX_RETRIES + 1):
            try:
                named = request.model_copy(update={"request_id": _named(base, each)})
                return outbox.accept(named, requester=requester).record
            except IdTaken:  # by a retry of another request of this name, or by a caller who chose such an id
                continue
            except AlreadyRetried:
                _forbid(f"Request {original.request_id!r} was retried by another operator just now. Look at it again.")
        return _forbid(f"Request {base!r} was retried {MAX_RETRIES} times. Send a new request once the cause is fixed.")


def _before(latest: RequestRecord, request: ProvisioningRequest, original: RequestRecord) -> RequestRecord | None:
    """Return the retry that this one repeats. Raise ``Rejected`` if another one would do the same again."""
    same = latest.accepted_request(request).fingerprint == request.fingerprint
    if latest.outcome is None:
        if same:
            return latest
        _forbid(f"Request {original.request_id!r} was retried as {latest.request_id!r}, which is not settled yet.")
    if same and latest.outcome.succeeded:
        result = latest.outcome.result
        _forbid(f"Request {original.request_id!r} was retried as {latest.request_id!r}, with the result {result}.")
    return None


def _request(original: RequestRecord, edited: object) -> ProvisioningRequest:
    """Return the request that was accepted, or the edited one. Raises ``Rejected`` with pointers into /body."""
    stored = ProvisioningRequest.model_validate_json(original.body)
    if edited is None:
        return stored
    if not isinstance(edited, dict):
        invalid(ErrorDetail(pointer="/body", detail="must be a JSON object: the edited request"))
    for name, value in (("tenant", original.tenant), ("request_id", original.request_id)):
        if edited.get(name, value) != value:
            invalid(ErrorDetail(pointer=f"/body/{name}", detail="must stay the same: a retry is for the same request"))
    document = _unexpanded(edited, stored) | {"tenant": original.tenant, "request_id": original.request_id}
    try:
        return request_of(document)
    except Rejected as rejection:
        raise rejection.repointed(lambda pointer: f"/body{pointer}") from None


def _unexpanded(edited: Mapping[str, Any], stored: ProvisioningRequest) -> dict[str, Any]:
    """Return the edited body without the types that its blueprint was expanded to: the blueprint expands them again."""
    if not edited.get("blueprint") or "custom_object_types" not in edited:
        return {**edited}
    if edited["custom_object_types"] != json.loads(stored.to_json()).get("custom_object_types"):
        detail = "come from the blueprint: edit its values, or take the blueprint and its values out"
        invalid(ErrorDetail(pointer="/body/custom_object_types", detail=detail))
    return {name: value for name, value in edited.items() if name != "custom_object_types"}


def _numbered(request_id: str) -> tuple[str, int]:
    """Return the id without its number as a retry, and this number; 0 if it is not a retry."""
    found = SUFFIX.search(request_id)
    return (request_id[: found.start()], int(found[1])) if found else (request_id, 0)


def _named(base: str, number: int) -> str:
    suffix = f".retry-{number}"
    return f"{base[: MAX_ID - len(suffix)]}{suffix}"


def _forbid(detail: str) -> NoReturn:
    raise Rejected(ProblemType.WRONG_STATE, detail)
