"""The use case behind every handler: settle one provisioning request, once.

    lease ──► observe ──► plan ──► apply ──► settle ──► publish        or: release the leases, and defer

Always in this order: lease before observing, observe before any create, store the outcome before publishing it.
Values flow one way: observation, plan, applied, outcome.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Self

from provisioner.contract.errors import ProblemType, RateLimited, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Outcome, Result
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.history import Invocation, Run
from provisioner.ledger.in_doubt import SENT_RETENTION_SECONDS
from provisioner.ledger.lease import Lease, ResourceKey, ResourceRecord
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.reconcile import compute_outcome
from provisioner.reconcile.apply import Execution, unapplied
from provisioner.reconcile.attribution import Claimant, created_types, with_observations
from provisioner.reconcile.failing import fail_without_leases
from provisioner.reconcile.memory import Memory
from provisioner.reconcile.observe import Observation, Observer
from provisioner.reconcile.patience import turn_or_answer
from provisioner.reconcile.plan import Applied, Plan, resources_to_lock
from provisioner.reconcile.planner import make_plan
from provisioner.reconcile.ports import Ledger, Organization, Topic
from provisioner.reconcile.resolved_types import publish_types
from provisioner.reconcile.retries import Deferred, Retries, TenantMissing, retry_seconds
from provisioner.reconcile.safety import may_have_written, objection
from provisioner.reconcile.tenancy import Tenancy


class Job(NamedTuple):
    """One run of one request, with the organization to work on."""

    record: RequestRecord
    request: ProvisioningRequest
    organization: Organization
    invocation: Invocation = Invocation()
    may_pause: bool = True  # for the holder of a lease, before it is deferred

    def begun(self, now: float) -> Self:
        """Return the job with its attempt under way, which the write that ends it adds to the request's history."""
        run = Run(now, self.record.deferrals + 1, self.invocation, self.organization.begin_calls())
        return self._replace(record=replace(self.record, run=run))


@dataclass(frozen=True, slots=True)
class Provisioner:
    """The use case. Durations are in seconds, ``clock`` returns Unix seconds."""

    ledger: Ledger
    topic: Topic
    list_lag: float
    wait_limit: float
    clock: Callable[[], float]
    tenant_wait_limit: float = 3 * 86_400
    observation_max_age: float = 0
    pauses: Sequence[float] = ()

    def reconcile(self, job: Job) -> Outcome | Deferred:
        """Settle and publish the request, or defer it. Any worker may call it again at any time.

        An exception leaves the request accepted or unpublished, and what it leased in doubt. It is safe to repeat.
        """
        if isinstance(result := self.settle(job), Outcome):
            self._publish(job.record, result)
        return result

    def settle(self, job: Job) -> Outcome | Deferred:
        """Do the same, but leave an outcome to its caller to publish."""
        if job.record.outcome:
            return job.record.outcome
        job = job.begun(self.clock())
        try:
            return self._run_under_leases(job)
        except (RetryLater, Unavailable) as error:
            return self._defer(job, error)

    def plan(self, request: ProvisioningRequest, organization: Organization) -> Plan:
        """Plan the request from the present state of Close. Nothing is written anywhere.

        Raises ``Rejected``, ``Unavailable`` or ``RetryLater``.
        """
        tenancy = self.tenancy
        organization_id = tenancy.identify(request.tenant, organization)
        tenancy.check_pause(organization_id)
        records = {each.resource: each.ids_only() for each in tenancy.read_resources(request, organization_id)}
        try:
            observed = self.observer(request, organization, organization_id, records).refresh()
        except RateLimited as error:
            tenancy.pause(organization_id, error)
            raise
        return make_plan(request, observed.state, observed.matches)

    def reconcile_unresolved(self, job: Job) -> Deferred | None:
        """Reconcile an unresolved request that was sent again, by the same rules. Its outcome stays unresolved.

        Each type that exists now, or is created as the rules allow it, is published as a separate event.
        """
        try:
            self._run_under_leases(job)
        except (RetryLater, Unavailable) as error:
            return Deferred(retry_seconds(job.record, error), str(error))
        return None

    def give_up(self, record: RequestRecord, request: ProvisioningRequest, reason: str) -> Outcome:
        """Settle as unresolved a request that ran out of tries."""
        outcome = record.outcome or self.ledger.settle(
            record, compute_outcome.unresolved(record, request, reason, self.clock())
        )
        self._publish(record, outcome)
        return outcome

    def _publish(self, record: RequestRecord, outcome: Outcome) -> None:
        if record.state is not RequestState.ANNOUNCED:
            self.topic.publish(record.id, outcome.asked_by(record.requester))
            self.ledger.mark_published(record)

    @property
    def tenancy(self) -> Tenancy:
        return Tenancy(self.ledger, self.clock)

    @property
    def memory(self) -> Memory:
        return Memory(self.ledger, self.observation_max_age, self.clock)

    # --- one run

    def _run_under_leases(self, job: Job) -> Outcome:
        """Settle the request, or raise ``RetryLater`` or ``Unavailable`` with its leases released."""
        try:
            organization_id = self.tenancy.bind(job.record, job.request, job.organization)
        except Rejected as rejection:
            if rejection.kind is ProblemType.TENANT_NOT_FOUND and job.request.may_wait_for_tenant:
                raise TenantMissing(str(rejection)) from None
            return fail_without_leases(self.tenancy, job.record, job.request, rejection)
        answer = partial(self.memory.settle, job.record, job.request, organization_id)
        if settled := answer():
            return settled
        self.tenancy.check_pause(organization_id)
        leases = turn_or_answer(
            partial(self.lease, job, organization_id),
            answer,
            lambda: all(each.is_certain for each in self.tenancy.read_resources(job.request, organization_id)),
            self.pauses if job.may_pause else (),
        )
        if isinstance(leases, Outcome):
            return leases
        records = {resource: each.record for resource, each in leases.items()}
        applied = self._observe_plan_apply(job, organization_id, records)
        if isinstance(applied.stopped_by, RetryLater | Unavailable):
            self.tenancy.pause(organization_id, applied.stopped_by)
            if job.request.plan_digest and not may_have_written(job.record, applied.records):
                self.ledger.unbegin(job.record)  # before another run of it can take the leases
            self.ledger.release(lease.with_record(applied.records[resource]) for resource, lease in leases.items())
            raise applied.stopped_by
        outcome = applied.settled or compute_outcome.make_outcome(job.record, job.request, applied, self.clock())
        observer = self.observer(job.request, job.organization, organization_id, records)
        remembering = self.memory.remembering(observer, job.record, applied, outcome)
        to_release = [lease.with_record(remembering[resource]) for resource, lease in leases.items()]
        stands = self.ledger.settle(job.record, outcome, to_release)
        if stands.result is Result.UNRESOLVED and outcome.result is not Result.UNRESOLVED:
            publish_types(self.topic, job.record, outcome)
        return stands

    def lease(self, job: Job, organization_id: str) -> dict[ResourceKey, Lease]:
        """Lease all resources of the request, or none: a request that waits holds up no other."""
        leases: dict[ResourceKey, Lease] = {}
        for resource in resources_to_lock(job.request, organization_id):
            try:
                leases[resource] = self.ledger.lease(job.record, resource)
            except RetryLater:
                self.ledger.release(leases.values())
                raise
        before = self.clock() - SENT_RETENTION_SECONDS
        return {resource: lease.with_record(lease.record.leased(before)) for resource, lease in leases.items()}

    def _observe_plan_apply(
        self, job: Job, organization_id: str, records: Mapping[ResourceKey, ResourceRecord]
    ) -> Applied:
        """Every error of ours is a part of what it returns; any other leaves the leases to expire."""
        try:
            observed = self.observer(job.request, job.organization, organization_id, records).refresh()
        except (Rejected, RetryLater, Unavailable) as error:
            return Applied(records, stopped_by=error)
        applied = self._plan_apply(job, organization_id, observed, records)
        undecided = observed.matches.undecided
        records = {
            resource: record.orphans_ruled_out(observed.observed_at, self.list_lag, undecided.get(resource, ()))
            for resource, record in applied.records.items()
        }
        return applied._replace(records=records)

    def _plan_apply(
        self, job: Job, organization_id: str, observed: Observation, records: Mapping[ResourceKey, ResourceRecord]
    ) -> Applied:
        claimant = Claimant(job.record, job.request, observed.observed_at, self.list_lag)
        records = with_observations(records, observed.matches, claimant)
        try:
            own = created_types(records, job.record)
            plan = make_plan(job.request, observed.state, observed.matches, own)
        except (Rejected, Unavailable) as error:
            return Applied(records, observed_at=observed.observed_at, stopped_by=error)
        found = objection(plan, job.request, job.record, records)
        before = unapplied(plan, observed.matches, records, observed.observed_at, found)
        if found or not plan.steps:
            return before
        if settled := self._begin(job.record):
            return before._replace(settled=settled)
        try:
            self.tenancy.confirm(job.record, job.request, organization_id)
        except (RetryLater, Rejected) as error:
            return before._replace(stopped_by=error)
        records = {resource: record.without_observations() for resource, record in records.items()}
        before = before._replace(records=records)
        return Execution.begin(job.record, job.organization, self.clock, self.list_lag, before).run()

    def observer(
        self,
        request: ProvisioningRequest,
        organization: Organization,
        organization_id: str,
        records: Mapping[ResourceKey, ResourceRecord],
    ) -> Observer:
        now, read, find = self.clock(), self.ledger.read, self.ledger.find
        return Observer(request, organization, organization_id, records, self.list_lag, now, read, find)

    def _begin(self, record: RequestRecord) -> Outcome | None:
        """Return the outcome that another run of this request stored, if any: then nothing may be created any more.

        From here on no run settles it without leases, unless no lease was taken since, or no run began to write.
        """
        return self.ledger.begin(record) if record.outcome is None else None

    # --- deferring, or failing without a run

    def _defer(self, job: Job, error: RetryLater | Unavailable) -> Outcome | Deferred:
        retries = Retries(self.ledger, self.clock, self.wait_limit, self.tenant_wait_limit)
        result = retries.defer(job.record, error)
        if isinstance(result, Deferred):
            return result
        try:
            return fail_without_leases(self.tenancy, job.record, job.request, result)
        except RetryLater as busy:
            return retries.defer_past_deadline(job.record, busy)
