"""Everything that may happen around the requests of a scenario: faults, delays of Close, people and operators.

Each ingredient may be combined with each scenario: ``in_weather`` does so by chance.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provisioner.contract.request import ProvisioningRequest
from tests.close import KEY, OTHER_ID, OTHER_KEY

if TYPE_CHECKING:
    from tests.simulation.explorer import Exercise, Play

GO, KILL, KILL_AFTER, KILL_LATE = "go", "kill", "kill after", "kill, and execute later,"
LOSE, DROP, LATE = "lose the response of", "drop", "lose, and execute later,"
REPEAT = "send again"
TIMEOUT, TIMEOUT_LATE = "answer 408 to, and execute,", "answer 408 to, and execute later,"

COSTS: Mapping[str, tuple[str, ...]] = {
    KILL: ("kills",),
    KILL_AFTER: ("kills",),
    KILL_LATE: ("kills", "delays"),
    LOSE: ("losses",),
    DROP: ("drops",),
    LATE: ("delays",),
    TIMEOUT: ("timeouts",),
    TIMEOUT_LATE: ("timeouts", "delays"),
}
"""The faults of a call, and the budgets that each of them needs. All but a kill strike writes only."""

BUDGETS = ("kills", "losses", "drops", "delays", "timeouts", "repeats")
DEADLINE_SECONDS = 100.0

EDITING_SECONDS = 2.0
"""A person edits what was created before: Close dates both."""

LIST_LAG_SECONDS = (15.0, 50.0)
CLOCKS = ((9.0, -5.0), (5.0, -9.0), (-9.0, 0.0), (0.0, 9.0))
"""Of functions, in seconds ahead of Close's, as far as limits.md allows: ten seconds from Close's, and a quarter of a
lag from each other.
"""
FUNCTIONS = 7


# --- people and operators: each act returns how to do it, or None while there is nothing to do


type Act = Callable[["Play"], Callable[[], object] | None]


def _rename(kind: str, old: str, new: str) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        for each in getattr(play.close, kind):
            if each.name == old:
                return lambda: _renamed(play, each.id, new)
        return None

    return act


def _renamed(play: "Play", close_id: str, name: str) -> None:
    play.touched.add(close_id)
    play.close.change(close_id, name=name)


def _delete(kind: str, name: str, path: str) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        for each in getattr(play.close, kind):
            if each.name == name:
                return lambda: _deleted(play, each.id, path)
        return None

    return act


def _deleted(play: "Play", close_id: str, path: str) -> None:
    of_it = [
        each.id
        for each in play.close.fields
        if close_id
        in {each.custom_object_type_id, getattr(each, "referenced_custom_type_id", "")}  # Close deletes both
    ]
    play.deleted.update([close_id, *of_it])
    assert play.close.simulator.client(KEY).delete(f"{path}/{close_id}/").status_code < 300


def _describe(name: str, description: str) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        for each in play.close.existing:
            if each.name == name and not any(act.startswith("rename") for act in play.scenario.acts):
                return lambda: _edited(play, each.id, description)
        return None

    return act


def _edited(play: "Play", close_id: str, description: str) -> None:
    play.clock.advance(EDITING_SECONDS)
    play.close.change(close_id, description=description)


def _create_type(name: str) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        if name in play.close.names:
            return None
        return lambda: play.touched.add(play.close.add(name, name_plural="Accounts").id)

    return act


def _create_field(name: str) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        types = [each for each in play.close.existing if each.name == "Account"]
        if not types or name in [each.name for each in play.close.fields]:
            return None
        return lambda: play.touched.add(play.close.add_field(types[0].id, name, type="number").id)

    return act


def _store(key: str, organization_id: str | None) -> Act:
    def act(play: "Play") -> Callable[[], object] | None:
        tenant = play.scenario.requests[0].tenant
        if play.secrets[tenant] == (key, organization_id):
            return None
        return lambda: play.secrets.update({tenant: (key, organization_id)})

    return act


PEOPLE: Mapping[str, Act] = {
    "create the type": _create_type("Account"),
    "create a similar type": _create_type("Client"),
    "create the field": _create_field("Seats"),
    "create a similar field": _create_field("Chairs"),
    "rename the type": _rename("existing", "Account", "Firm"),
    "rename the type to a requested name": _rename("existing", "Account", "Customer"),
    "rename the type back": _rename("existing", "Firm", "Account"),
    "rename the field": _rename("fields", "Seats", "Benches"),
    "rename the field to a requested name": _rename("fields", "Seats", "Places"),
    "rename the shared field": _rename("shared", "Seats", "Benches"),
    "rename the shared field to a requested name": _rename("shared", "Seats", "Places"),
    "describe the type": _describe("Account", "Changed"),
    "delete the type": _delete("existing", "Account", "custom_object_type"),
    "delete the field": _delete("fields", "Seats", "custom_field/custom_object_type"),
}
OPERATORS: Mapping[str, Act] = {
    "swap the key": _store(OTHER_KEY, None),
    "store the right key": _store(KEY, None),
    "revoke the key": _store("api_acme.revoked", None),
    "move the tenant": _store(OTHER_KEY, OTHER_ID),
}
ACTS = {**PEOPLE, **OPERATORS}
BETWEEN_RUNS = {"rename the type to a requested name", "rename the type back"}
"""While a run is under way, docs/explanation/limits.md excepts them: a rename under way."""
UNMIXED = {"describe the type"}
"""Only in scenarios without renames: docs/explanation/limits.md excepts a renamed type that is changed besides."""

OTHER_WORDS, UNDATED, CLOCKS_APART = "other words", "undated changes", "clocks apart"
INGREDIENTS = (*BUDGETS, "list lag", "a deadline", "two tenants", OTHER_WORDS, UNDATED, CLOCKS_APART, *ACTS)
"""All that ``in_weather`` mixes, by name. A play names the faults and acts that happened in it."""


def in_weather(scenario: "Exercise", chance: random.Random) -> "Exercise":
    """Return the scenario with two to four further ingredients."""
    mixed = [each for each in INGREDIENTS if each not in UNMIXED]
    chosen = chance.sample(mixed, chance.randint(2, 4))
    if "store the right key" in chosen:
        chosen.append("swap the key")
    if "rename the type back" in chosen:
        chosen.append("rename the type")
    if "repeats" in chosen:
        chosen.append("drops")
    return with_ingredients(
        scenario,
        list(dict.fromkeys(chosen)),
        chance.choice(LIST_LAG_SECONDS),
        chance.choices(chance.choice(CLOCKS), k=FUNCTIONS),
    )


def _in_own_words(request: ProvisioningRequest) -> ProvisioningRequest:
    """Return the request with descriptions of its own, for types and fields."""
    own = {"description": f"By {request.request_id}"}
    content = request.model_dump(mode="json", by_alias=True, exclude_unset=True)
    types = [
        {**of_type, **own, "fields": [{**each, **own} for each in of_type.get("fields", ())]}
        for of_type in content.pop("custom_object_types", [content.pop("custom_object_type", None)])
    ]
    return ProvisioningRequest.model_validate({**content, "custom_object_types": types})


def with_ingredients(
    scenario: "Exercise", chosen: Sequence[str], list_lag: float = 0, clocks: Sequence[float] = CLOCKS[0]
) -> "Exercise":
    """Return the scenario with these ingredients, one of each. ``list_lag`` in seconds and ``clocks``, if they are
    among them.
    """
    further: dict[str, Any] = {each: max(getattr(scenario, each), 1) for each in chosen if each in BUDGETS}
    if "repeats" in chosen:  # two dropped creates leave a request unresolved
        further["drops"] = 2
    if "list lag" in chosen:
        further["list_lag"] = list_lag
    if "a deadline" in chosen:
        further["wait_limit"] = DEADLINE_SECONDS
    if "two tenants" in chosen:
        first, *others = scenario.requests
        further["requests"] = [first, *(each.model_copy(update={"tenant": "initech"}) for each in others)]
    acts = dict.fromkeys([*scenario.acts, *(each for each in chosen if each in ACTS)])
    if CLOCKS_APART in chosen:
        further["clocks"] = clocks
    if UNDATED in chosen:
        further["dates_changes"] = False
    if OTHER_WORDS in chosen and not any(each.startswith("rename") for each in acts):
        further["requests"] = [_in_own_words(each) for each in further.get("requests", scenario.requests)]
    if OPERATORS.keys() & acts.keys():
        further["alone"] = frozenset({"GET me/"})
    return replace(scenario, name=f"{scenario.name}; with {', '.join(chosen)}", acts=tuple(acts), **further)
