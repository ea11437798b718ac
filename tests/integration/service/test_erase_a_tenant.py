"""The commands of docs/guides/erase-a-tenant.md find every item of the ledger that is about a tenant, and no other."""

import json
import re
import subprocess
from typing import Any

from provisioner.ledger.rejected_events import RejectedEvents
from provisioner.ledger.waitlist import TenantWaitlist
from tests.architecture.conftest import PROJECT
from tests.fakes import a_request
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack

PAGE = (PROJECT / "docs" / "guides" / "erase-a-tenant.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^erase '.*?(?=^erase|^```)", PAGE, re.DOTALL | re.MULTILINE)


def filters(tenant: str, organization: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the filters of the page's commands, as a shell hands them over."""
    setup = f'tenant={tenant} organization={organization}; erase() {{ printf \'%s\\0%s\\0\' "$1" "$2"; }}\n'
    command = ["bash", "-euc", setup + "\n".join(COMMANDS)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    expressions = printed.stdout.split("\0")[:-1]
    return [(found, json.loads(values)) for found, values in zip(expressions[::2], expressions[1::2], strict=True)]


def keys(stack: Stack) -> set[str]:
    return {item["pk"]["S"] for item in client("dynamodb").scan(TableName=stack.settings.ledger_table_name)["Items"]}


def test_hole_10_erasing_a_tenant_leaves_nothing_of_it_and_all_of_others(stack: Stack) -> None:
    table = (client("dynamodb"), stack.settings.ledger_table_name, 90, stack.clock)
    organizations = {}
    for tenant in ("acme", "globex"):
        organizations[tenant] = stack.add_tenant(tenant)
        stack.service.ledger.accept(a_request("1", tenant=tenant))
        stack.work(a_request("1", tenant=tenant).to_json())
        TenantWaitlist(*table).add(tenant, "0" * 32)
        reason = f"The source stripe may not name the tenant {tenant!r}: its file allows initech."
        RejectedEvents(*table).remember(f"{tenant}-1", "stripe", "evt_1", reason)
        stack.service.ledger.pause(organizations[tenant], stack.clock() + 60)
    before = keys(stack)

    for expression, values in filters("acme", organizations["acme"]):
        found = client("dynamodb").scan(
            TableName=stack.settings.ledger_table_name,
            FilterExpression=expression,
            ExpressionAttributeValues=values,
        )["Items"]
        assert found, expression
        for item in found:
            client("dynamodb").delete_item(TableName=stack.settings.ledger_table_name, Key={"pk": item["pk"]})

    left = keys(stack)
    assert len(left) == len(before) / 2
    assert {key.partition("#")[0] for key in left} == {key.partition("#")[0] for key in before}
    items = json.dumps(client("dynamodb").scan(TableName=stack.settings.ledger_table_name)["Items"], default=str)
    assert "acme" not in items
    assert organizations["acme"] not in items


def test_every_kind_of_item_is_erased() -> None:
    schema = (PROJECT / "docs" / "reference" / "ledger-schema.md").read_text(encoding="utf-8")
    kinds = set(re.findall(r"^\| `([A-Z-]+)#", schema, re.MULTILINE))
    assert len(kinds) > 6
    assert kinds == set(re.findall(r'"([A-Z-]+)#', "".join(COMMANDS)))
