"""The look at Close that a request takes under its leases: what is there, and what that says of what was in doubt.

What may be concluded, and when, is drawn in docs/decisions/how-once-is-kept.md. Nothing is written here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from provisioner.close_words import CustomField, CustomObjectType, Role
from provisioner.compare import created_at, oldest_first
from provisioner.contract import ProvisioningRequest
from provisioner.errors import Busy
from provisioner.plan import Seen, is_association, things_of, type_unit
from provisioner.planning import found_of_type, wants_fields, wants_shared
from provisioner.records import ITSELF, How, Lease, Made, RequestRecord, Unit, UnitKind
from provisioner.resolve import wants_roles

CLOCK_SKEW_SECONDS = 300  # between Close's clock and ours


type Found = CustomObjectType | CustomField


class Shown(Protocol):
    """What one tenant's organisation at Close shows. Lists are read at ``not_before`` (Unix seconds) or later.

    Everything raises ``Refused``, ``NotCreated`` or ``Busy``.
    """

    def types(self, not_before: float = 0) -> Sequence[CustomObjectType]: ...

    def fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def shared_fields(self, not_before: float = 0) -> Sequence[CustomField]: ...

    def roles(self) -> Sequence[Role]: ...

    def type(self, close_id: str) -> CustomObjectType | None: ...


@dataclass(frozen=True, slots=True)
class Look:
    """``now``: when it begins (Unix seconds); what is conclusive is decided by it. ``lag``: the list's, in seconds.

    ``known_id`` asks the ledger for the id of a type that is referred to and that Close's list does not show.
    """

    request: ProvisioningRequest
    organization: Shown
    leases: Mapping[Unit, Lease]
    lag: float
    now: float
    known_id: Callable[[Unit], str | None]

    def seen(self) -> Seen:
        """Close as it is. Raises ``Busy`` when what this service did lately is not to be seen yet."""
        things = things_of(self.request)
        not_before = max(lease.not_before(things[unit], self.now, self.lag) for unit, lease in self.leases.items())
        seen = self._read(not_before)
        if unseen := self._unseen(seen):  # the lists may be from before that; or they lag
            seen = self._read(max(not_before, *(made.at for made in unseen)))
            waits = [made.at + self.lag - self.now for made in self._unseen(seen)]
            if any(wait > 0 for wait in waits):
                raise Busy("Close does not show yet what was made just now", max(waits))
        return seen

    def noted(self, seen: Seen, record: RequestRecord) -> dict[Unit, Lease]:
        """The leases with what was found: that ends its doubt; and if this request may have made it, it did."""
        return {unit: self._noted(unit, lease, seen, record) for unit, lease in self.leases.items()}

    @property
    def type_ids(self) -> dict[str, str]:
        """Ids of the types that are wanted, by natural key, as the ledger knows them."""
        return {
            unit.key: lease.close_id
            for unit, lease in self.leases.items()
            if unit.kind is UnitKind.TYPE and lease.close_id
        }

    # --- reading

    def _read(self, not_before: float) -> Seen:
        organization, request = self.organization, self.request
        listed = organization.types(not_before)
        types = [*listed, *self._unlisted(listed)]
        fields = organization.fields(not_before) if wants_fields(request) else ()
        needs_shared = wants_shared(request, Seen(types, fields), self.type_ids)
        shared = organization.shared_fields(not_before) if needs_shared else ()
        return Seen(types, fields, shared, organization.roles() if wants_roles(request.types) else ())

    def _unlisted(self, listed: Sequence[CustomObjectType]) -> list[CustomObjectType]:
        """What the list does not show, although we know it to be there: it lags, or somebody deleted the type."""
        names, ids = {each.natural_key for each in listed}, {each.id for each in listed}
        known = {name: close_id for name, close_id in self._known_types(names).items() if name not in names}
        asked_for = (self.organization.type(close_id) for close_id in known.values() if close_id not in ids)
        return [each for each in asked_for if each]

    def _known_types(self, listed: set[str]) -> dict[str, str]:
        """Those that are wanted, and those that are referred to and not listed."""
        wanted = {spec.natural_key for spec in self.request.types}
        fields = (each for spec in self.request.types for each in spec.fields)
        references = {key for each in fields if (key := each.reference_key)} - listed - wanted
        asked_for = {key: self.known_id(type_unit(self.request.tenant, key)) for key in sorted(references)}
        return self.type_ids | {key: close_id for key, close_id in asked_for.items() if close_id}

    def _unseen(self, seen: Seen) -> list[Made]:
        """What this service made lately and Close does not show."""
        shown = {each.id for each in (*seen.types, *seen.fields, *seen.shared)}
        unseen = []
        for unit, things in things_of(self.request).items():
            lease, found = self.leases[unit], self._found(unit, seen).get(ITSELF)
            on_type = found.field_ids if isinstance(found, CustomObjectType) else ()
            made = {thing: lease.made[thing] for thing in things if thing in lease.made}
            if lease.close_id:
                made[ITSELF] = Made(lease.close_id, lease.known_at, How.FOUND, ())
            for thing, each in made.items():
                if each.close_id not in (on_type if is_association(thing) else shown):
                    unseen.append(each)
        return unseen

    # --- taking note

    def _noted(self, unit: Unit, lease: Lease, seen: Seen, record: RequestRecord) -> Lease:
        for thing, found in self._found(unit, seen).items():
            made = lease.made.get(thing)
            if made is None or made.close_id != found.id:
                lease = self._claimed(lease, thing, found, record)
            elif made.how is How.FOUND and record.id in made.requests:
                lease = lease.has(thing, self._owned(lease, thing, found, record, made.requests))
            if thing == ITSELF:
                lease = lease.knows(found.id, self.now)
        return lease

    def _claimed(self, lease: Lease, thing: str, found: Found, record: RequestRecord) -> Lease:
        """Nobody is known to have made it."""
        suspects = lease.suspects(thing)
        is_ours = record.id in suspects and self._may_be_ours(lease, thing, found, record)
        if is_ours or (suspects and (thing in lease.doubts or thing == ITSELF)):
            return lease.has(thing, self._owned(lease, thing, found, record, suspects))
        return lease

    def _owned(self, lease: Lease, thing: str, found: Found, record: RequestRecord, candidates: Sequence[str]) -> Made:
        """Nobody can know which of several made it, but whoever first says so is from then on the only one."""
        if record.id in candidates and self._may_be_ours(lease, thing, found, record):
            return Made(found.id, self.now, How.RECOVERED, (record.id,))
        others = tuple(each for each in dict.fromkeys(candidates) if each != record.id)
        return Made(found.id, self.now, How.FOUND, others)

    def _may_be_ours(self, lease: Lease, thing: str, found: Found, record: RequestRecord) -> bool:
        """A killed holder may have found an old one, and not have created anything."""
        if is_association(thing):
            return thing in lease.doubts  # when it was associated Close does not say
        return created_at(found) >= record.accepted_at - CLOCK_SKEW_SECONDS

    def _found(self, unit: Unit, seen: Seen) -> Mapping[str, Found]:
        """Of each thing of the unit what is there."""
        if unit.kind is UnitKind.SHARED_FIELD:
            shared = oldest_first(each for each in seen.shared if each.natural_key == unit.key)
            return {ITSELF: shared[0]} if shared else {}
        return found_of_type(self.request, unit, seen, self.type_ids)
