"""Take a person's word about an unresolved request: whether what it was to create is there, as seen in Close.

The word never replaces evidence. It is taken under the leases of the request's resources, and only if an observation
that is made after it agrees with it. docs/explanation/how-once-is-kept.md has the argument.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from provisioner.contract.errors import ProblemType, ProvisioningError, RateLimited, Rejected
from provisioner.ledger.in_doubt import conclusive_from
from provisioner.ledger.lease import CREATE_RESOURCE, Lease, ResourceKey, ResourceKind, ResourceRecord
from provisioner.reconcile import compute_outcome
from provisioner.reconcile.apply import unapplied
from provisioner.reconcile.attribution import Claimant, created_types, with_observations
from provisioner.reconcile.observe import Observation
from provisioner.reconcile.plan import resources_to_lock
from provisioner.reconcile.planner import make_plan
from provisioner.reconcile.provisioner import Job, Provisioner
from provisioner.reconcile.resolved_types import publish_types

MAX_NAMES = 5  # in one sentence

type Records = Mapping[ResourceKey, ResourceRecord]


class Word(NamedTuple):
    """The parts of a request that the lists show, and those that they do not.

    ``types``: the id by name of each type of the request, None for a missing one. ``missing``: all missing parts.
    ``records``: those of the request's resources, as the word and the lists leave them.
    """

    types: Mapping[str, str | None]
    missing: tuple[str, ...]
    records: Records


class Resolver(NamedTuple):
    """Resolves unresolved requests, by the rules of the ``provisioner``. It never writes to Close."""

    provisioner: Provisioner

    def resolve(self, job: Job, *, there: bool) -> Word:
        """Confirm that every part of the request is there, or that the missing parts were never created.

        In the second case these are no longer in doubt: another request may create them at once.

        Raises ``Rejected`` (CONTRADICTED) if Close's lists show the contrary, or do not prove it yet. Raises the errors
        of an observation. In each case, the ledger remembers the parts that the lists show.
        """
        provisioner = self.provisioner
        organization_id = provisioner.tenancy.bind(job.record, job.request, job.organization)
        provisioner.tenancy.check_pause(organization_id)
        leases = provisioner.lease(job, organization_id)
        records: Records = {resource: each.record for resource, each in leases.items()}
        try:
            observed = provisioner.observer(job.request, job.organization, organization_id, records).refresh()
        except ProvisioningError as error:
            if isinstance(error, RateLimited):
                provisioner.tenancy.pause(organization_id, error)
            self._release(leases, records)
            raise
        claimant = Claimant(job.record, job.request, observed.observed_at, provisioner.list_lag)
        records = with_observations(records, observed.matches, claimant)
        word = _word(job, observed, records)
        contradiction = _contradicts(word, there) or (None if there else self._too_early(job, observed, records))
        if not contradiction and not there:
            word = word._replace(records=self._ruled_out(job, observed, records))
        self._release(leases, word.records)
        if contradiction:
            raise Rejected(ProblemType.CONTRADICTED, contradiction)
        if there:
            self._publish(job, observed, records)
        return word

    def _release(self, leases: Mapping[ResourceKey, Lease], records: Records) -> None:
        self.provisioner.ledger.release(lease.with_record(records[resource]) for resource, lease in leases.items())

    def _too_early(self, job: Job, observed: Observation, records: Records) -> str | None:
        """Return the objection while a create may still become visible: two list lags after the last one was sent."""
        lag = self.provisioner.list_lag
        in_doubt = (records[resource].in_doubt_about(each) for resource, each in _absent(job, observed))
        left = max((conclusive_from(each, lag) for each in in_doubt), default=0) - observed.observed_at
        if left <= 0:
            return None
        return (
            f"It is too early to say so: a create was sent so lately that Close may not show its result yet. Say "
            f"it in {math.ceil(left)} seconds."
        )

    def _ruled_out(self, job: Job, observed: Observation, records: Records) -> Records:
        """Drop what is in doubt of the absent parts. The creates of holders that died are ruled out with them.

        Those of other requests that ask for further parts, or that may have made something else, are not.
        """
        changed = {**records}
        lag = self.provisioner.list_lag
        for resource, operation in _absent(job, observed):
            changed[resource] = changed[resource].with_absence(operation, lag)
        others = {key: {*each} - {job.record.id} for key, each in observed.matches.undecided.items()}
        return {
            key: each.orphans_ruled_out(observed.observed_at, lag, others.get(key, ())) for key, each in changed.items()
        }

    def _publish(self, job: Job, observed: Observation, records: Records) -> None:
        """Publish each type, if all of them are as desired now, for the subscribers that received `unresolved`."""
        try:
            plan = make_plan(job.request, observed.state, observed.matches, created_types(records, job.record))
        except ProvisioningError:
            return
        if not plan.steps:
            applied = unapplied(plan, observed.matches, records, observed.observed_at)
            outcome = compute_outcome.make_outcome(job.record, job.request, applied, self.provisioner.clock())
            publish_types(self.provisioner.topic, job.record, outcome)


def _absent(job: Job, observed: Observation) -> Iterator[tuple[ResourceKey, str]]:
    """Yield each create of the request whose result the lists do not show."""
    for resource, operations in resources_to_lock(job.request, observed.state.organization).items():
        existing = observed.matches.existing[resource]
        yield from ((resource, each) for each in operations if each not in existing)


def _word(job: Job, observed: Observation, records: Records) -> Word:
    types: dict[str, str | None] = {}
    for spec in job.request.types:
        found = observed.matches.types[spec.natural_key]
        types[spec.name] = found[0].id if found else None
    missing = tuple(dict.fromkeys(_described(*each) for each in _absent(job, observed)))
    return Word(types, missing, records)


def _described(resource: ResourceKey, operation: str) -> str:
    if resource.kind is ResourceKind.SHARED_FIELD:
        return f"the shared field {resource.name!r}"
    if operation == CREATE_RESOURCE:
        return f"the type {resource.name!r}"
    return f"a field of {resource.name!r} ({operation.partition(':')[2]})"


def _contradicts(word: Word, there: bool) -> str | None:
    """Return how the lists contradict the word, if they do."""
    if there and word.missing:
        shown = ", ".join(word.missing[:MAX_NAMES])
        more = f", and {len(word.missing) - MAX_NAMES} more" if len(word.missing) > MAX_NAMES else ""
        return f"Close's lists do not show {shown}{more}. If Close itself does not, resolve the request as not there."
    if not there and not word.missing:
        ids = ", ".join(f"{name!r} ({close_id})" for name, close_id in [*word.types.items()][:MAX_NAMES])
        return f"Close's lists show {ids}. Nothing is missing: resolve the request as there."
    return None
