"""The promises, checked at the end of a play of the explorer: docs/explanation/how-once-is-kept.md has them.

The exceptions are those of docs/explanation/limits.md.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from provisioner.contract.outcome import FieldOutcome, Outcome, TypeOutcome, moment
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.spec import CustomObjectTypeSpec
from provisioner.contract.text import natural_key
from provisioner.reconcile.diff import field_path
from tests.close import ID
from tests.simulation.weather import ACTS

if TYPE_CHECKING:
    from tests.simulation.explorer import Actor, ExecutedCreate, Part, Play

type Reported = TypeOutcome | FieldOutcome
type Data = Mapping[str, Mapping[str, Any]]

COMPARED = {"name", "name_plural", "description", "type", "choices"}
MADE = {"created", "recovered"}
FOUND = {"unchanged", "adopted", "updated"}


def violations(play: "Play") -> Iterator[str]:
    """Every promise that this play broke: once, settled, truthful, apart, additive."""
    yield from _once(play)
    yield from _apart(play)
    yield from _last_one_prevails(play)
    claimed: dict[Part, set[str]] = defaultdict(set)
    for actor in play.actors:
        if actor.outcome is None:
            yield f"{actor.request.request_id} was not settled in {actor.runs} runs"
            continue
        yield from _truthful(play, actor.request, actor.outcome, claimed)
        if actor.outcome.observed_at:
            yield from _observed(play, actor, actor.outcome, actor.outcome.observed_at)
        if actor.outcome.succeeded:
            yield from _as_desired(play, actor.request, actor.outcome)
    yield from (f"{sorted(told)} say that they created {each}" for each, told in claimed.items() if len(told) > 1)


def _once(play: "Play") -> Iterator[str]:
    """Close executed one create for each name, whatever a person renamed since.

    A person who deletes the result, or gives another one the name and takes it away again, asks for a new one.
    """
    excepted = (_is_renamed_with_its_type, _is_renamed_to_what_the_request_asks_for, _is_replaced_by_hand)
    kept = [
        each for each in play.sent if each.close_id not in play.deleted and not any(of(play, each) for of in excepted)
    ]
    counts = Counter((each.organization, each.scope, each.name) for each in kept)
    for (_, scope, name), number in counts.items():
        if number > 1:
            yield f"{number} creates of {name!r} ({scope})"


def _is_renamed_with_its_type(play: "Play", create: "ExecutedCreate") -> bool:
    """Whether a person renamed a field, and its type to a requested name: then nothing tells what the field was."""
    on_renamed = "rename the type to a requested name" in play.fired and create.scope.rpartition(" ")[2] in play.touched
    return on_renamed and create.close_id in play.touched


def _is_renamed_to_what_the_request_asks_for(play: "Play", create: "ExecutedCreate") -> bool:
    """Whether a request asks for both its name and the one that a person gave it: it counts for its present name."""
    if create.close_id not in play.touched:
        return False
    present = natural_key(play.past[-1].data[create.close_id]["name"])
    asked = [
        names
        for request in play.scenario.requests
        for names in ({each.natural_key for each in request.types}, *map(_field_names, request.types))
    ]
    return create.name != present and any({create.name, present} <= names for names in asked)


def _is_replaced_by_hand(play: "Play", create: "ExecutedCreate") -> bool:
    """Whether a person renamed it, gave its name to another one, and deleted that."""
    deleted = (each.data[close_id] for each in play.past for close_id in play.deleted & each.data.keys())
    return create.close_id in play.touched and create.name in {natural_key(each["name"]) for each in deleted}


def _field_names(spec: CustomObjectTypeSpec) -> set[str]:
    return {each.natural_key for each in spec.fields}


def _apart(play: "Play") -> Iterator[str]:
    """A request creates in one organization: the tenant's, unless an operator moved the tenant."""
    for actor in play.actors:
        organizations = {each.organization for each in play.sent if each.request == actor.request.id}
        if len(organizations) > 1:
            yield f"{actor.request.request_id} created in {sorted(organizations)}"
        if organizations - {ID} and "move the tenant" not in play.fired:
            yield f"{actor.request.request_id} created in {sorted(organizations)}, and the tenant was not moved"


def _truthful(
    play: "Play", request: ProvisioningRequest, outcome: Outcome, claimed: "dict[Part, set[str]]"
) -> Iterator[str]:
    """A person may create or rename what is ``recovered``; who created a renamed type is not said."""
    own = {each.part for each in play.sent if each.request == request.id}
    told: set[Part] = set()
    for of_type in outcome.types:
        if of_type.renamed and of_type.id not in play.touched:
            yield f"{request.request_id} says that {of_type.name} was renamed to {of_type.renamed}, and it was not"
        is_complete = of_type.result in {*MADE, "updated", "unchanged"} and not of_type.renamed
        for what, parts, result in _told(play, of_type):
            said = f"{request.request_id} says of {what}: {result}"
            made = own.intersection(parts)
            told.update(parts if result in MADE or _is_told_as_a_step(of_type, parts[0][0]) else ())
            if result in MADE and not (parts[0][0] in play.touched and result == "recovered"):
                for part in parts if len(parts) == 1 else made:  # one creates a shared field, others associate it
                    claimed[part].add(request.request_id)
                if not made:
                    yield f"{said}, and another one created it"
            elif made and result in FOUND and not of_type.renamed and not _is_forgotten(play, of_type, made, own):
                yield f"{said}, and created it itself"
            if is_complete and result == "missing" and outcome.succeeded:
                yield f"{said}, and the type is {of_type.result}"
    untold = {each for each in own - told if not play.deleted.intersection(each)}
    if outcome.result == "failed" and untold:
        yield f"{request.request_id} failed, and does not say that it created {sorted(untold)}"


def _told(play: "Play", of_type: TypeOutcome) -> "Iterator[tuple[str, list[Part], str]]":
    """Yield the claims on the type and each field. One that is shared may be claimed for its association alone."""
    yield f"type {of_type.name}", [(of_type.id, "")], str(of_type.result)
    for each in of_type.fields:
        parts: list[Part] = [(each.id, "")]
        if each.id in play.shared and of_type.id:
            parts.append((each.id, of_type.id))
        yield f"field {each.name} of {of_type.name}", parts, str(each.result)


def _is_told_as_a_step(of_type: TypeOutcome, close_id: str | None) -> bool:
    """Whether the outcome says of a shared field that it was made, beside a field of the type that blocks it."""
    names = [each.name for each in of_type.fields if each.id == close_id and each.result == "blocked"]
    return any(f"{made} shared field {name}" in of_type.steps for name in names for made in MADE)


def _is_forgotten(play: "Play", of_type: TypeOutcome, made: "set[Part]", own: "set[Part]") -> bool:
    """Whether it was killed and limits.md admits that it may not know: it only associated a shared field with a type of
    another request, or a person has edited its type and Close did not date that.
    """
    is_edited = play.fired["describe the type"] > 0 and not play.scenario.dates_changes
    only_associated = all(type_id for _, type_id in made) and (of_type.id, "") not in own
    return bool(play.fired["kills"]) and (only_associated or is_edited)


def _acted(play: "Play") -> bool:
    return bool(play.fired.keys() & ACTS.keys())


def _as_desired(play: "Play", request: ProvisioningRequest, outcome: Outcome) -> Iterator[str]:
    """References lead to the type of that name, and choices are there, as far as no person changed anything."""
    names = {each.id: each.natural_key for each in play.close.existing}
    fields = {each.id: each for each in [*play.close.fields, *play.close.shared]}
    specs = {each.natural_key: each for each in request.types}
    for of_type in outcome.types:
        if of_type.result not in {*MADE, "updated", "unchanged"} or of_type.renamed or _acted(play):
            continue
        for said, spec in zip(of_type.fields, specs[natural_key(of_type.name)].fields, strict=True):
            if said.id is None:
                continue
            observed = fields[said.id]
            lost = set(spec.choices or ()) - set(observed.choices or ())
            if lost:
                yield f"{request.request_id} succeeded, and {said.name} of {of_type.name} lacks {sorted(lost)}"
            referenced = names.get(getattr(observed, "referenced_custom_type_id", ""), "nothing")
            if spec.reference_key and referenced != spec.reference_key:
                yield f"{request.request_id} succeeded, and {said.name} of {of_type.name} refers to {referenced}"


def _last_one_prevails(play: "Play") -> Iterator[str]:
    """A request that was sent when all others were settled is not undone by what those sent.

    The differences that its outcome lists are excepted: Close changes no description of a shared field.
    """
    for actor in play.actors:
        is_last = all(each.settled <= actor.sent for each in play.actors if each is not actor)
        has_succeeded = actor.outcome is not None and actor.outcome.succeeded
        if not is_last or _acted(play) or not has_succeeded or actor.request.if_exists != "update":
            continue
        assert actor.outcome
        for of_type, spec in zip(actor.outcome.types, actor.request.types, strict=True):
            if of_type.result in {*MADE, "updated", "unchanged"}:
                said = f"{actor.request.request_id} was the last one"
                listed = {each.field for each in of_type.differences}
                for part, desired in _parts(of_type, spec):
                    told = {key for key in desired if _path(part, key) in listed}
                    rest = {key: value for key, value in desired.items() if key not in told}
                    yield from (f"{said}, and {each}" for each in _different(part, rest, play.past[-1].data))
                ids = [each.id for each in of_type.fields]
                order = [each for each in play.close.order[str(of_type.id)] if each in ids]
                if order != ids:
                    yield f"{said}, and its fields are in another order"


def _observed(play: "Play", actor: "Actor", outcome: Outcome, observed_at: str) -> Iterator[str]:
    """An outcome from another request's observation knows the writes of this service that were finished when its own
    request was sent. Each part of it is true of Close at some moment of the time that an observation may be old.
    """
    said = f"{actor.request.request_id} says what Close showed at {observed_at}"
    by_its_clock = (datetime.fromisoformat(each).timestamp() for each in (observed_at, outcome.settled_at))
    observed, settled = (each + play.clocks_apart for each in by_its_clock)
    reported = [each for reported in zip(outcome.types, actor.request.types, strict=True) for each in _parts(*reported)]
    ids = {str(part.id) for part, _ in reported}
    for write in play.written:
        if write.at > observed and write.step <= actor.sent and ids & write.ids:
            yield f"{said}, and was sent after {write.call} at {moment(write.at)}"
    oldest = settled - 2 * play.clocks_apart - play.scenario.max_age - play.scenario.list_lag
    past = [each for each in play.past if each.step <= actor.settled]
    recent = [each for each, later in itertools.pairwise([*past, None]) if each and (not later or later.at >= oldest)]
    for part, desired in reported:
        if part.id and not any(_is_true(part, desired, each.data) for each in recent):
            yield f"{said}: {part.name} is {part.result}, which is not true of the time since {moment(oldest)}"


def _parts(of_type: TypeOutcome, spec: CustomObjectTypeSpec) -> Iterator[tuple[Reported, Mapping[str, Any]]]:
    """Yield the type and each of its fields, as reported and as desired. They are read one after the other."""
    yield of_type, spec.desired()
    for reported, of_field in zip(of_type.fields, spec.fields, strict=True):
        yield reported, of_field.desired()


def _path(reported: Reported, key: str) -> str:
    """Return the name of a key in the differences of an outcome."""
    return key if isinstance(reported, TypeOutcome) else field_path(reported.name, key)


def _is_true(reported: Reported, desired: Mapping[str, Any], data: Data) -> bool:
    """Whether this content of Close has the reported type or field."""
    shown = reported.custom_object_type or {} if isinstance(reported, TypeOutcome) else {}
    as_reported = {key: shown[key] for key in COMPARED & shown.keys()}
    is_as_desired = reported.result != "unchanged" or not any(_different(reported, desired, data))
    return reported.id in data and is_as_desired and not any(_different(reported, as_reported, data))


def _different(reported: Reported, desired: Mapping[str, Any], data: Data) -> Iterator[str]:
    """Yield what is different in the data."""
    found = data.get(str(reported.id), {})
    for key in sorted(COMPARED & desired.keys()):
        one, other = desired[key] or None, found.get(key) or None
        is_same = set(one or ()) <= set(other or ()) if key == "choices" else one == other
        if not is_same:
            yield f"the {key} of {reported.name} is {other!r} instead of {one!r}"
