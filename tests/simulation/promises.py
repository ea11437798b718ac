"""The promises, checked at the end of a play of the explorer: docs/explanation/how-once-is-kept.md has them.

The exceptions are those of docs/explanation/limits.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioner.contract.outcome import Outcome, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.contract.text import natural_key
from tests.close import ID
from tests.simulation.weather import ACTS

if TYPE_CHECKING:
    from tests.simulation.explorer import Part, Play

MADE = {"created", "recovered"}
FOUND = {"unchanged", "adopted", "updated"}


def violations(play: "Play") -> Iterator[str]:
    """Every promise that this play broke: once, settled, truthful, apart, additive."""
    yield from _once(play)
    yield from _apart(play)
    claimed: dict[Part, set[str]] = defaultdict(set)
    for actor in play.actors:
        if actor.outcome is None:
            yield f"{actor.request.request_id} was not settled in {actor.runs} runs"
            continue
        yield from _truthful(play, actor.request, actor.outcome, claimed)
        if actor.outcome.succeeded:
            yield from _as_desired(play, actor.request, actor.outcome)
    yield from (f"{sorted(told)} say that they created {each}" for each, told in claimed.items() if len(told) > 1)


def _once(play: "Play") -> Iterator[str]:
    """Close executed one create for each name, whatever a person renamed since.

    A person who deletes the result, or gives another one the name and takes it away again, asks for a new one.
    """
    kept = [each for each in play.sent if each.close_id not in play.deleted]
    counts = Counter((each.organization, each.scope, each.name) for each in kept)
    for (_, scope, name), number in counts.items():
        if number > 1:
            yield f"{number} creates of {name!r} ({scope})"


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
            told.update(parts if result in MADE else ())
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


def _is_forgotten(play: "Play", of_type: TypeOutcome, made: "set[Part]", own: "set[Part]") -> bool:
    """Whether it only associated a shared field with a type of another request, and was killed: limits.md admits it."""
    return bool(play.fired["kills"]) and all(type_id for _, type_id in made) and (of_type.id, "") not in own


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
            observed = fields[str(said.id)]
            lost = set(spec.choices or ()) - set(observed.choices or ())
            if lost:
                yield f"{request.request_id} succeeded, and {said.name} of {of_type.name} lacks {sorted(lost)}"
            referenced = names.get(getattr(observed, "referenced_custom_type_id", ""), "nothing")
            if spec.reference_key and referenced != spec.reference_key:
                yield f"{request.request_id} succeeded, and {said.name} of {of_type.name} refers to {referenced}"
