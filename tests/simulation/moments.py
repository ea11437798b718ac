"""``python -m tests.simulation.moments``: record what this version leaves in the ledger, at moments worth keeping.

A moment is a run that stops halfway, often by a kill: the ledger's items, the queue, Close's side and the secrets. A
later version continues from it; see test_moments.py. The recording of a released version is never changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import boto3

from infra.simulator.api.custom_object_types import TYPE_KEYS
from tests.simulation import aws, webhook_senders
from tests.simulation.environment import SimulatedEnvironment
from tests.simulation.fault import Case
from tests.simulation.queues import SimulatedMessage
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.system_under_test import TABLE, CloseProvisioner
from tests.simulation.workload import Workload

FOLDER = Path(__file__).parent / "recorded"
NEXT = FOLDER / "unreleased.json"

CREATE = "close.POST custom_object_type/ of acme 'Account'#1"
SETTLE = "dynamodb.TransactWriteItems REQUEST#3d1c10+TYPE#orga_acme#9af211#1"
CASES = (
    "api create: no fault",
    "api create: kill after dynamodb.PutItem REQUEST#3d1c10#1",
    f"api create: kill before {CREATE}",
    f"api create: kill after {CREATE}",
    f"api create: kill after {SETTLE}",
    f"queue create: lost after {CREATE}",
    f"queue create: kill after {CREATE}",
    "rate limited: no fault",
    "plan limit: no fault",
    "crowd: no fault",
    f"fields create: kill after {CREATE}",
    "webhook: no fault",
    "webhook without tenant: no fault",
    "event: no fault",
    "waiting: no fault",
)
"""Together they leave each kind of item in each of its states, but those of operators."""


def waiting(workload: Workload) -> None:
    """A customer whose key is not stored signs up."""
    workload.environment.add_source()
    workload.webhook(webhook_senders.signup("acme"), "acme")
    workload.deliver()


PLOTS = {name: scenario.plot for name, scenario in SCENARIOS.items()} | {"waiting": waiting}


@dataclass(frozen=True, slots=True)
class Moment:
    """The state between two versions. ``organizations``: settings and types, by tenant. ``now``: Unix seconds."""

    case: str
    now: float
    items: Mapping[str, Mapping[str, Any]]
    organizations: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, str]
    messages: Sequence[Mapping[str, Any]]
    published: Sequence[tuple[str, Mapping[str, str]]]
    submitted: Sequence[tuple[str, str, Sequence[str], bool]]

    @classmethod
    def of(cls, workload: Workload) -> Self:
        environment = workload.environment
        return cls(
            case=str(environment.case),
            now=environment.clock.now,
            items=json.loads(json.dumps(aws.items(TABLE))),
            organizations={tenant: _organization(environment, tenant) for tenant in environment.close.tenants},
            secrets=dict(environment.account.secrets),
            messages=[asdict(each) for each in environment.queue.messages],
            published=[(each.message, each.attributes) for each in environment.account.published],
            submitted=[
                (each.tenant, each.request_id, sorted(each.names), each.accepted)
                for each in workload.submitted.values()
            ],
        )

    def resume(self, environment: SimulatedEnvironment) -> Workload:
        """Let the environment, in which nothing has happened, continue from here."""
        environment.clock.advance_to(self.now)
        client = boto3.client("dynamodb", region_name=aws.REGION)
        for item in self.items.values():
            client.put_item(TableName=TABLE, Item=item)
        environment.account.secrets.update(self.secrets)
        for tenant, settings in self.organizations.items():
            environment.close.add(tenant, **settings)
            environment.secrets.update(settings["keys"])
        environment.queue.messages += [SimulatedMessage(**each) for each in self.messages]
        environment.account.published += [aws.PublishedMessage(text, dict(given)) for text, given in self.published]
        workload = Workload(environment)
        for tenant, request_id, names, accepted in self.submitted:
            workload.asked(tenant, request_id, set(names)).accepted = accepted
        workload.observe_outcomes()
        return workload


def _organization(environment: SimulatedEnvironment, tenant: str) -> dict[str, Any]:
    """Return the organization as the control API takes it. Its list shows all that is there by the next look."""
    organization = environment.close.organization(tenant)
    state = environment.close.service.state
    return {
        "keys": [text for text, held in state.credentials.items() if held.organization_id == organization.id],
        "has_custom_objects": organization.has_custom_objects,
        "types": [_type(each.data, organization) for each in organization.existing_types()],
    }


def _type(data: Mapping[str, Any], organization: Any) -> dict[str, Any]:
    fields = [
        {name: value for name, value in each.data.items() if name in {"id", "name", "type", "choices", "required"}}
        for each in organization.fields.values()
        if each.data["custom_object_type_id"] == data["id"]
    ]
    known = {name: value for name, value in data.items() if name in {"id", *TYPE_KEYS}}
    return {**known, "date_created": data["date_created"].isoformat(), "fields": fields}


def record(case: str) -> Moment:
    """Play the scenario without what would follow."""
    given = Case.read(case)
    with SimulatedEnvironment(CloseProvisioner(), given).patched() as environment:
        workload = Workload(environment)
        PLOTS[given.scenario](workload)
        if given.faults and not environment.network.fired:
            raise LookupError(f"no fault of {case} fired; its calls: {environment.network.recorded}")
        return Moment.of(workload)


def read(path: Path) -> list[Moment]:
    return [Moment(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    moments = [asdict(record(case)) for case in CASES]
    NEXT.write_text(json.dumps(moments, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(moments)} moments are in {NEXT}")
