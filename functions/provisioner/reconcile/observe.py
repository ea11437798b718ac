"""Read the observed state from Close under the leases, and match it to the specs of the request.

Nothing is written. docs/explanation/how-once-is-kept.md draws which conclusions an observation allows, and when.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from provisioner.close.models import CustomField, CustomObjectType
from provisioner.contract.errors import RetryLater
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger.in_doubt import IN_DOUBT_RETENTION_SECONDS, InDoubt, next_observation
from provisioner.ledger.lease import (
    CREATE_RESOURCE,
    AppliedWrite,
    Provenance,
    ResourceKey,
    ResourceKind,
    ResourceRecord,
)
from provisioner.ledger.models import RequestRecord
from provisioner.reconcile.match import Records, is_in_doubt, match_resources, match_types
from provisioner.reconcile.plan import Matches, ObservedState, is_association, resources_to_lock, type_resource
from provisioner.reconcile.ports import CloseReader
from provisioner.reconcile.resolve import needs_roles

if TYPE_CHECKING:
    from provisioner.reconcile.look_alikes import Background


class Observation(NamedTuple):
    """The observed state and its matches. ``observed_at``: when the observation began (Unix seconds)."""

    state: ObservedState
    matches: Matches
    observed_at: float


class Observer(NamedTuple):
    """One observation. ``now``: when it begins (Unix seconds). ``lag``: the list lag, in seconds.

    ``read`` and ``find`` read other resources and requests from the ledger.
    """

    request: ProvisioningRequest
    organization: CloseReader
    organization_id: str
    records: Mapping[ResourceKey, ResourceRecord]
    lag: float
    now: float
    read: Callable[[ResourceKey], ResourceRecord]
    find: Callable[[str], RequestRecord | None]

    def refresh(self) -> Observation:
        """Read Close. Raises ``RetryLater`` when it does not show yet what this service did lately."""
        operations = resources_to_lock(self.request, self.organization_id)
        limits = (
            record.oldest_valid_read(
                [*operations[resource], *filter(is_association, record.in_doubt)], self.now, self.lag
            )
            for resource, record in self.records.items()
        )
        not_before = max(limits)
        observation = self._read(not_before)
        if missing := self._not_yet_visible(observation):  # the lists were read before those writes, or they lag
            observation = self._read(max(not_before, *(write.at for write in missing)))
            writes = [InDoubt(write.at, "") for write in self._not_yet_visible(observation)]
            if moment := next_observation(writes, self.now, self.lag):  # another worker's clock may be behind
                raise RetryLater("Close does not show yet what this service just created", moment - self.now)
        return observation

    def of_lists_in_memory(self) -> Observation | None:
        """Return what the lists say that were read before, with the writes since. None if they lack some of those."""
        observation = self._read(0)
        return None if self._not_yet_visible(observation) else observation

    # --- reading

    def _read(self, not_before: float) -> Observation:
        organization, request = self.organization, self.request
        listed = organization.types(not_before)
        types = [*listed, *self._fetch_unlisted(listed)]
        fields = organization.fields(not_before) if any(spec.fields for spec in request.types) else ()
        needs_shared = self._needs_shared_fields(ObservedState(types, fields, organization=self.organization_id))
        shared = organization.shared_fields(not_before) if needs_shared else ()
        roles = organization.roles() if needs_roles(request.types) else ()
        state = ObservedState(types, fields, shared, roles, self.organization_id)
        records, background = self.records, None
        if is_in_doubt(records):
            records = self._records_of_a_day()
            background = self._background(state, records)
        matches = match_resources(request, state, records, background)
        return Observation(state, matches, self.now)

    def _records_of_a_day(self) -> dict[ResourceKey, ResourceRecord]:
        """The records without the creates of other requests that cannot land any more: nothing is their look-alike."""
        a_day_ago, own = self.now - IN_DOUBT_RETENTION_SECONDS, self.request.id
        return {key: each.doubting_since(a_day_ago, own) for key, each in self.records.items()}

    def _background(self, state: ObservedState, records: Records) -> "Background":
        """Read from the ledger what it knows of others, since a create is in doubt."""
        from provisioner.reconcile.creates import Sender, senders_of  # noqa: PLC0415 - others start faster
        from provisioner.reconcile.look_alikes import Background, Search  # noqa: PLC0415

        keys = senders_of(records) - {self.request.id}
        found = {key: record for key in sorted(keys) if (record := self.find(key))}
        senders = {key: Sender(each.accepted, each.has_succeeded) for key, each in found.items()}
        types = match_types(self.request, state, records)
        search = Search(self.request, state, records, types, Background(senders))
        known = {each: self.read(each) for each in sorted(search.present_names())}
        return Background(senders, known, self.now, self.lag)

    def _type_ids(self) -> dict[str, str]:
        """Return the ids of the desired types from the ledger, by natural key."""
        return {
            resource.name: record.close_id
            for resource, record in self.records.items()
            if resource.kind is ResourceKind.TYPE and record.close_id
        }

    def _needs_shared_fields(self, state: ObservedState) -> bool:
        """Return whether the request names shared fields, or one of its types has a field that is not its own."""
        fields = [each for spec in self.request.types for each in spec.fields]
        if not fields or any(each.shared for each in fields):
            return bool(fields)
        own = {each.id for each in state.fields}
        matched = match_types(self.request, state, self.records)
        for spec in self.request.types:
            names = {each.natural_key for each in spec.fields}
            for existing in matched[spec.natural_key][:1]:
                if any(name in names and close_id not in own for close_id, name in existing.field_names):
                    return True
        return False

    def _fetch_unlisted(self, listed: Sequence[CustomObjectType]) -> list[CustomObjectType]:
        """Fetch by id the known types that the list does not show: the list lags, or they were deleted."""
        names, ids = {each.natural_key for each in listed}, {each.id for each in listed}
        known = {name: close_id for name, close_id in self._known_types(names).items() if name not in names}
        fetched = (self.organization.type(close_id) for close_id in known.values() if close_id not in ids)
        return [each for each in fetched if each]

    def _known_types(self, listed: set[str]) -> dict[str, str]:
        """Return the ids of the desired types, and of referenced types that the list does not show."""
        desired = {spec.natural_key for spec in self.request.types}
        fields = (each for spec in self.request.types for each in spec.fields)
        references = {key for each in fields if (key := each.reference_key)} - listed - desired
        known = {key: self.read(type_resource(self.organization_id, key)).close_id for key in sorted(references)}
        return self._type_ids() | {key: close_id for key, close_id in known.items() if close_id}

    # --- checking against the writes of this service

    def _not_yet_visible(self, observation: Observation) -> list[AppliedWrite]:
        """Return the writes of this service whose results Close does not show."""
        state = observation.state
        shown = {each.id for each in (*state.types, *state.fields, *state.shared)}
        fields = (each.get(CREATE_RESOURCE) for each in observation.matches.existing.values())
        named = {each.id for each in fields if isinstance(each, CustomField)}  # shared; associated under any name
        missing = []
        for resource, operations in resources_to_lock(self.request, self.organization_id).items():
            record = self.records[resource]
            existing = observation.matches.existing[resource].get(CREATE_RESOURCE)
            on_type = existing.field_ids if isinstance(existing, CustomObjectType) else ()
            writes = {operation: record.writes[operation] for operation in operations if operation in record.writes}
            writes |= {
                key: each for key, each in record.writes.items() if is_association(key) and each.close_id in named
            }
            if record.close_id:
                writes[CREATE_RESOURCE] = AppliedWrite(
                    record.close_id, record.last_observed_at, Provenance.OBSERVED, ()
                )
            for operation, write in writes.items():
                if write.close_id not in (on_type if is_association(operation) else shown):
                    missing.append(write)
        return missing
