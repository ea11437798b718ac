"""The promises, checked at the end of a play of the explorer: docs/explanation/how-once-is-kept.md has them.

The exceptions are those of docs/explanation/limits.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioner.contract.outcome import Outcome, TypeOutcome
from provisioner.contract.request import ProvisioningRequest
from tests.close import ID

if TYPE_CHECKING:
    from tests.simulation.explorer import Play

MADE = {"created", "recovered"}
FOUND = {"unchanged", "adopted", "updated"}


def violations(play: "Play") -> Iterator[str]:
    """Every promise that this play broke: once, settled, truthful, apart, additive."""
    yield from _once(play)
    yield from _apart(play)
    claimed: dict[str, set[str]] = defaultdict(set)
    for actor in play.actors:
        if actor.outcome is None:
            yield f"{actor.request.request_id} was not settled in {actor.runs} runs"
            continue
        yield from _truthful(play, actor.request, actor.outcome, claimed)
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
    play: "Play", request: ProvisioningRequest, outcome: Outcome, claimed: dict[str, set[str]]
) -> Iterator[str]:
    """A person may create or rename what is ``recovered``; who created a renamed type is not said."""
    own = {each.close_id for each in play.sent if each.request == request.id}
    for of_type in outcome.types:
        if of_type.renamed and of_type.id not in play.touched:
            yield f"{request.request_id} says that {of_type.name} was renamed to {of_type.renamed}, and it was not"
        parts = [(f"type {of_type.name}", of_type.id, str(of_type.result))]
        parts += [(f"field {each.name}", each.id, str(each.result)) for each in of_type.fields]
        for what, close_id, result in parts:
            said = f"{request.request_id} says of {what}: {result}"
            is_claimable = close_id in play.touched and result == "recovered"
            if result in MADE and not is_claimable:
                if close_id not in play.shared:  # one request creates a shared field, and others associate it
                    claimed[str(close_id)].add(request.request_id)
                if close_id not in own:
                    yield f"{said}, and another one created it"
            elif close_id in own and result in FOUND and not of_type.renamed:
                yield f"{said}, and created it itself"
            complete = of_type.result in {*MADE, "updated", "unchanged"} and not of_type.renamed
            if complete and result == "missing" and outcome.succeeded:
                yield f"{said}, and the type is {of_type.result}"
    parts_told = [part for each in outcome.types for part in [(each.id, each.result), *_fields(each)]]
    told = {close_id for close_id, result in parts_told if result in MADE}
    if outcome.result == "failed" and (untold := own - told - play.deleted):
        yield f"{request.request_id} failed, and does not say that it created {sorted(untold)}"


def _fields(of_type: TypeOutcome) -> list[tuple[str | None, str]]:
    return [(each.id, each.result) for each in of_type.fields]
