"""The history of a run on the local stack: ledger, events, logs, messages, and the types in Close."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from provisioner.contract.text import natural_key
from tests.chaos.cluster import Cluster
from tests.chaos.quiesce import LedgerMonitor
from tests.chaos.surroundings import PERSON
from tests.chaos.workload import Callers
from tests.simulation.history import History, ReceivedRequest, by_request


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Who watched and who asked. ``existing_types``: names of types that the tenants had from the beginning.

    ``deleted``: the ids of types that a person deleted. ``touched``: of those that a person created or renamed.
    """

    monitor: LedgerMonitor
    callers: Callers
    tenants: Sequence[str]
    secrets: frozenset[str]
    existing_types: Mapping[str, Sequence[str]] = field(default_factory=dict)
    shared_by: Mapping[str, str] = field(default_factory=dict)
    deleted: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()


def collect_history(cluster: Cluster, record: RunRecord) -> History:
    """Collect the history once the stack is quiescent. A file beside the logs keeps it, to explain a failure."""
    cluster.feed.poll(1)
    stored = [each for tenant in record.tenants for each in cluster.stored(tenant)]
    existing_types = {(tenant, natural_key(name)) for tenant, names in record.existing_types.items() for name in names}
    received = [each for each in cluster.close.requests() if each["key_suffix"] != PERSON]
    _keep(cluster, record, received)
    return History(
        submitted=list(record.callers.submitted.values()),
        tenants=record.tenants,
        stored=stored,
        field_counts={tenant: cluster.copies_of_fields(tenant) for tenant in record.tenants},
        removed=(),  # Close is not observed continuously here
        created=frozenset({each.key for each in stored} - existing_types),
        received=[_arrived(each) for each in received],
        items=record.monitor.items,
        changed=sorted(record.monitor.changed),
        events=by_request([each.event for each in cluster.feed.arrived]),
        outputs=dict(_outputs(cluster, record)),
        secrets=record.secrets,
        shared_by=record.shared_by,
        deleted=record.deleted,
        touched=record.touched,
    )


def _outputs(cluster: Cluster, record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "the logs", "\n".join(cluster.logged())
    yield "the emulator's own log", cluster.stack.servers[0].log.read_text(errors="replace")
    yield "the ledger", json.dumps(record.monitor.items)
    yield "an event", "\n".join(each.text for each in cluster.feed.arrived)
    yield "an answer", json.dumps([submitted.responses for submitted in record.callers.submitted.values()])
    yield "a dead-letter message", json.dumps(cluster.dead_letters())


def _keep(cluster: Cluster, record: RunRecord, received: Sequence[Mapping[str, Any]]) -> None:
    told = {
        "ledger": record.monitor.items,
        "events": [each.event for each in cluster.feed.arrived],
        "close": received,
        "asked": [asdict(each) for each in record.callers.submitted.values()],
    }
    cluster.folder.joinpath("evidence.json").write_text(json.dumps(told, default=sorted, indent=1))


def _arrived(entry: Mapping[str, Any]) -> ReceivedRequest:
    organization = (entry["organization_id"] or "").removeprefix("orga_")
    names_a_type = entry["path"].startswith("/api/v1/custom_object_type/")  # elsewhere it is a field's name
    type_name = entry["type_name"] if names_a_type else None
    return ReceivedRequest(organization, entry["method"], entry["path"], type_name)
