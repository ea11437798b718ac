"""Resolve an unresolved request by what a person saw in Close (reconcile/resolutions.py decides what it is worth)."""

from collections.abc import Callable
from typing import NamedTuple

from provisioner.close.list_cache import Organization
from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Result
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.resolutions import remember_resolution
from provisioner.ledger.store import Ledger
from provisioner.operate.action_body import action_body, flag_in, reason_in
from provisioner.operate.audit import Audit
from provisioner.operate.call import Answer, Call
from provisioner.operate.records import find_request
from provisioner.reconcile.provisioner import Job
from provisioner.reconcile.resolutions import Resolver, Word

RETRY_SECONDS = 5


class Resolutions(NamedTuple):
    """The resolutions. ``organization`` opens the organization of a tenant, for one call."""

    ledger: Ledger
    resolver: Resolver
    organization: Callable[[str, Callable[[], float]], Organization]
    audit: Audit

    def resolve(self, call: Call) -> Answer:
        """Take the word, and return what Close's lists show. Raises ``Rejected`` if they contradict it."""
        body = action_body(call, "there")
        there, reason = flag_in(body, "there"), reason_in(body, required=True)
        record = find_request(self.ledger, call.path["id"])
        if record.outcome is None or record.outcome.result is not Result.UNRESOLVED:
            state = f"its result is {record.outcome.result}" if record.outcome else "it is not settled yet"
            detail = f"Only an unresolved request can be resolved. Of request {record.request_id!r}, {state}."
            raise Rejected(ProblemType.WRONG_STATE, detail)
        name = "resolve as there" if there else "resolve as not there"
        with self.audit.recorded(call, name, f"{record.tenant}/{record.request_id}", reason) as action:
            word = self._take(record, call, there=there)
            remember_resolution(self.ledger, record.id, there=there)
            action.result = "taken: " + (", ".join(word.missing) + " not there" if word.missing else "all is there")
        return _answer(record, word, there=there)

    def _take(self, record: RequestRecord, call: Call, *, there: bool) -> Word:
        request = ProvisioningRequest.model_validate_json(record.body)
        job = Job(record, request, self.organization(record.tenant, call.time_left))
        try:
            return self.resolver.resolve(job, there=there)
        except (RetryLater, Unavailable) as error:
            seconds = error.seconds if isinstance(error, RetryLater) else RETRY_SECONDS
            detail = (
                f"Close could not be looked at: {error}. Nothing was changed. Try again in {max(seconds, 1):.0f} s."
            )
            raise Rejected(ProblemType.UNAVAILABLE, detail) from None


def _answer(record: RequestRecord, word: Word, *, there: bool) -> Answer:
    types = [{"name": name, "id": close_id} for name, close_id in word.types.items()]
    return {
        "id": record.id,
        "tenant": record.tenant,
        "request_id": record.request_id,
        "there": there,
        "types": types,
        "missing": list(word.missing),
    }
