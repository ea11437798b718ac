"""The commands of docs/guides/erase-a-tenant.md find every item of the ledger that is about a tenant, and no other."""

import json
import re
import subprocess
from typing import Any

from provisioner.contract.request import UNKNOWN_REQUESTER
from provisioner.ledger.received_events import EventLedger, ReceivedEvent
from provisioner.ledger.rejected_events import RejectedEvents
from provisioner.ledger.waitlist import TenantWaitlist
from tests.architecture.conftest import PROJECT
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack

PAGE = (PROJECT / "docs" / "guides" / "erase-a-tenant.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE.partition("## 3.")[2], re.DOTALL | re.MULTILINE)
COMMANDS = "".join(block for block in BLOCKS if "| delete" in block)
PRINTS = """
list() { printf '%s\\0%s\\0' "$1" "$2" >&3; }
delete() { cat; }
"""


def filters(tenant: str, organization: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the filters of the commands that delete, as a shell hands them over."""
    script = f"exec 3>&1 >/dev/null; tenant={tenant} organization={organization}\n{PRINTS}\n{COMMANDS}"
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)  # noqa: S603, S607
    expressions = printed.stdout.split("\0")[:-1]
    return [(found, json.loads(values)) for found, values in zip(expressions[::2], expressions[1::2], strict=True)]


def scan(stack: Stack, **filtered: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("dynamodb").scan(TableName=stack.settings.ledger_table_name, **filtered)[
        "Items"
    ]
    return found


def keys(stack: Stack) -> set[str]:
    return {item["pk"]["S"] for item in scan(stack)}


def test_hole_10_erasing_a_tenant_leaves_nothing_of_it_and_all_of_others(stack: Stack) -> None:
    table = (client("dynamodb"), stack.settings.ledger_table_name, 90, stack.clock)
    organizations = {}
    for tenant in ("acme", "globex"):
        organizations[tenant] = stack.add_tenant(tenant)
        received = EventLedger(stack.service.ledger, ReceivedEvent(f"{tenant}-1", "0" * 64))
        received.accept(a_request("1", tenant=tenant), 60, UNKNOWN_REQUESTER)
        stack.work(a_request("1", tenant=tenant).to_json())
        TenantWaitlist(*table).add(tenant, "0" * 32)
        reason = f"The source stripe may not name the tenant {tenant!r}: its file allows initech."
        RejectedEvents(*table).remember(f"{tenant}-1", "stripe", "evt_1", reason)
        stack.service.ledger.pause(organizations[tenant], stack.clock() + 60)
    before = keys(stack)

    for expression, values in filters("acme", organizations["acme"]):
        found = scan(stack, FilterExpression=expression, ExpressionAttributeValues=values)
        if values == {":kind": {"S": "EVENT#"}}:  # the page's grep
            found = [item for item in found if item["request"]["S"] == a_request("1", tenant="acme").id]
        for item in found:
            client("dynamodb").delete_item(TableName=stack.settings.ledger_table_name, Key={"pk": item["pk"]})

    left = keys(stack)
    assert len(left) == len(before) / 2
    assert {key.partition("#")[0] for key in left} == {key.partition("#")[0] for key in before}
    items = json.dumps(scan(stack), default=str)
    assert "acme" not in items
    assert organizations["acme"] not in items


def test_every_kind_of_item_is_erased() -> None:
    schema = (PROJECT / "docs" / "reference" / "ledger-schema.md").read_text(encoding="utf-8")
    kinds = set(re.findall(r"^\| `([A-Z-]+)#", schema, re.MULTILINE))
    assert len(kinds) > 6
    assert kinds - {"ACTION"} == set(re.findall(r'"([A-Z-]+)#', COMMANDS)), "the record of operators' actions stays"
