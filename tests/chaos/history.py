"""What a run on the local stack left behind, gathered from everywhere that anybody can look at."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from provisioner.contract.spec import natural_key
from tests.chaos.cluster import Stage
from tests.chaos.quiesce import Watch
from tests.chaos.workload import Callers
from tests.simulation.history import Arrived, Evidence, by_request


@dataclass(frozen=True, slots=True)
class Seen:
    """Who watched and who asked. ``there``: names of types that the tenants had from the beginning."""

    watch: Watch
    callers: Callers
    tenants: Sequence[str]
    secrets: frozenset[str]
    there: Mapping[str, Sequence[str]] = field(default_factory=dict)


def evidence(stage: Stage, seen: Seen) -> Evidence:
    """Called when it is quiet. Also kept in a file beside the logs, for whoever wants to know how it came about."""
    stage.feed.poll(1)
    stored = [each for tenant in seen.tenants for each in stage.stored(tenant)]
    there = {(tenant, natural_key(name)) for tenant, names in seen.there.items() for name in names}
    arrived = stage.close.requests()
    _keep(stage, seen, arrived)
    return Evidence(
        asked=list(seen.callers.asked.values()),
        tenants=seen.tenants,
        stored=stored,
        parts={tenant: stage.copies_of_fields(tenant) for tenant in seen.tenants},
        gone=(),  # nobody watches Close all the time here
        made=frozenset({each.named for each in stored} - there),
        arrived=[_arrived(each) for each in arrived],
        items=seen.watch.items,
        changed=sorted(seen.watch.changed),
        events=by_request([each.event for each in stage.feed.arrived]),
        places=dict(_places(stage, seen)),
        secrets=seen.secrets,
    )


def _places(stage: Stage, seen: Seen) -> Iterator[tuple[str, str]]:
    yield "the logs", "\n".join(stage.logged())
    yield "the emulator's own log", stage.stack.servers[0].log.read_text(errors="replace")
    yield "the ledger", json.dumps(seen.watch.items)
    yield "an event", "\n".join(each.text for each in stage.feed.arrived)
    yield "an answer", json.dumps([asked.answers for asked in seen.callers.asked.values()])
    yield "a dead letter", json.dumps(stage.dead_letters())


def _keep(stage: Stage, seen: Seen, arrived: Sequence[Mapping[str, Any]]) -> None:
    told = {
        "ledger": seen.watch.items,
        "events": [each.event for each in stage.feed.arrived],
        "close": arrived,
        "asked": [asdict(each) for each in seen.callers.asked.values()],
    }
    stage.folder.joinpath("evidence.json").write_text(json.dumps(told, default=sorted, indent=1))


def _arrived(entry: Mapping[str, Any]) -> Arrived:
    organization = (entry["organization_id"] or "").removeprefix("orga_")
    names_a_type = entry["path"].startswith("/api/v1/custom_object_type/")  # elsewhere it is a field's name
    type_name = entry["type_name"] if names_a_type else None
    return Arrived(organization, entry["method"], entry["path"], type_name)
