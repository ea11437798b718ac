"""The observations of recent runs, in the ledger: a request that desires the same settles from them.

Most requests of a crowd desire a type that is there already. The first of them observes Close, and the others
answer from that. docs/explanation/how-once-is-kept.md says why no guarantee depends on an observation of one's own.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from provisioner.contract import truncation
from provisioner.contract.errors import ProblemType, ProvisioningError
from provisioner.contract.outcome import Outcome, Result, moment
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.lease import ResourceKey, ResourceRecord, Seen
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile import compute_outcome
from provisioner.reconcile.apply import unapplied
from provisioner.reconcile.observe import Observer
from provisioner.reconcile.plan import Applied, resources_to_lock
from provisioner.reconcile.planner import make_plan
from provisioner.reconcile.ports import Ledger, Organization
from provisioner.reconcile.safety import objection

MAX_ANSWER_BYTES = 60_000
"""The largest answer that is remembered: each lease of its resource pays for writing it again."""

type Records = Mapping[ResourceKey, ResourceRecord]


class Memory(NamedTuple):
    """The observations of the last ``max_age`` seconds; 0: none is remembered. ``clock`` gives Unix seconds."""

    ledger: Ledger
    max_age: float
    clock: Callable[[], float]

    def settle(self, record: RequestRecord, request: ProvisioningRequest, organization_id: str) -> Outcome | None:
        """Settle the request from what a run with the same desired state observed. None: it has to observe Close.

        It settles only a request that has not begun to write, so its outcome never denies a write of its own. A retry
        observes Close, because a person may have changed something there first.
        """
        if not self.max_age or record.outcome or record.is_retry or request.plan_digest:
            return None
        outcome = self._outcome(request, organization_id, record.deferrals + 1)
        return outcome and self.ledger.settle_unbegun(record, outcome.asked_by(record.requester))

    def answer(self, request: ProvisioningRequest, organization: Organization) -> Outcome | None:
        """Return the outcome of a request that is not accepted yet, if it can be settled from memory."""
        if not self.max_age or request.plan_digest:
            return None
        try:
            organization.prepare()
        except ProvisioningError:  # the request fails for it, or waits
            return None
        known = self.ledger.tenant(request.tenant)
        if known.organization is None or organization.pinned_id not in {None, known.organization}:
            return None
        return self._outcome(request, known.organization, attempts=1)

    def _outcome(self, request: ProvisioningRequest, organization_id: str, attempts: int) -> Outcome | None:
        """Return the remembered outcome as this request's own. Every resource must have the same observation."""
        now, fingerprint, found = self.clock(), request.desired_fingerprint, list[Seen]()
        for resource in resources_to_lock(request, organization_id):
            seen = self.ledger.read(resource).seen(fingerprint, now - self.max_age)
            if seen is None or (found and seen.at != found[0].at):
                return None
            found.append(seen)
        answer: dict[str, Any] = json.loads(found[0].answer)
        identity = {"tenant": request.tenant, "request_id": request.request_id, "attempts": attempts}
        times = {"settled_at": moment(now), "observed_at": moment(found[0].at)}
        return Outcome.model_validate({**answer, **identity, **times})

    def remembering(self, observer: Observer, record: RequestRecord, applied: Applied, outcome: Outcome) -> Records:
        """Return the records with this run's observation, if a request with the same desired state may settle from it.

        That is so if nothing is in doubt, and if the lists were read after everything that was written before this run:
        what this run wrote is in the lists. ``observer``: of this run, with the records that it leased.
        """
        at, request, since = observer.organization.read_at, observer.request, self.clock() - self.max_age
        is_certain = all(each.is_certain for each in applied.records.values())
        is_current = at > max(since, *(each.last_written_at for each in observer.records.values()))
        if not is_certain or not is_current or request.plan_digest or applied.settled:
            return applied.records
        has_written = any(each.was_written_by(record.id) for each in applied.records.values())
        answer = _answer(self._seen_by_another(observer, record, applied.records) if has_written else outcome)
        if not answer:
            return applied.records
        first, *others = sorted(applied.records)
        seen = {first: Seen(at, answer)} | {each: Seen(at) for each in others}
        return {
            resource: each.with_seen(request.desired_fingerprint, seen[resource], since)
            for resource, each in applied.records.items()
        }

    def _seen_by_another(self, observer: Observer, record: RequestRecord, records: Records) -> Outcome | None:
        """Return the outcome of a request that desires the same after this one, which has written."""
        request, other = observer.request, replace(record, id="")
        try:
            observed = observer._replace(records=records).of_lists_in_memory()
            if observed is None:
                return None
            plan = make_plan(request, observed.state, observed.matches)
        except ProvisioningError:  # it is met again when another request observes Close
            return None
        found = objection(plan, request, other, records)
        applied = unapplied(plan, observed.matches, records, observed.observed_at, found)
        if plan.steps and not found:
            return None
        return compute_outcome.make_outcome(other, request, applied, observed.observed_at)


def _answer(outcome: Outcome | None) -> str | None:
    """Return what any request may say that desires the same, as JSON; None if this outcome is of one request only."""
    if outcome is None or not _is_of_any_request(outcome):
        return None
    stored = truncation.for_ledger(outcome).as_json()
    answer = json.dumps({key: stored[key] for key in ("result", "types", "note", "problem") if key in stored})
    return answer if len(answer) <= MAX_ANSWER_BYTES else None


def _is_of_any_request(outcome: Outcome) -> bool:
    if outcome.result in {Result.UNCHANGED, Result.ADOPTED}:
        return True
    return outcome.problem is not None and outcome.problem.type == ProblemType.TYPE_EXISTS.uri
