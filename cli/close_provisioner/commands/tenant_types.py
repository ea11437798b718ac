"""``tenants types``: a tenant's types in Close, beside the last requests for them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import typer

from close_provisioner.client.tenants import TenantType, TypeKey
from close_provisioner.commands.tenants import NameArgument
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.table import Cell, Column, Value
from close_provisioner.registration import command

COLUMNS = (Column("TYPE"), Column("ID", 3), Column("KEY", 6), Column("IN CLOSE", 7), Column("LAST REQUESTED", 8))


def add_to(app: typer.Typer) -> None:
    """Add the command to its group."""
    command(
        app,
        "types",
        needs=["execute-api:Invoke on GET/v1/tenants/*"],
        examples=["tenants types acme", "tenants types acme --json"],
    )(types)


def types(invocation: Invocation, tenant: NameArgument) -> None:
    """Show a tenant's types in Close, and where each differs from the last request for it.

    Columns: type, id, key, value in Close, value in the last request. A type has one line for each difference, or one
    line without any. The exit code is 7 if something differs.
    """
    found = invocation.service.tenants.types(tenant)
    rows = [row for each in found for row in _rows(each)]
    documents: list[Mapping[str, Any]] = [each.raw for each in found]
    invocation.printer.table(COLUMNS, rows, documents, empty=f"The organization of {tenant} has no custom object type.")
    if any(key.differs for each in found for key in each.keys) or any(each.id is None for each in found):
        raise typer.Exit(ExitCode.DIFFERS)


def _rows(found: TenantType) -> Iterator[tuple[Value, ...]]:
    if found.id is None:
        yield found.name, "", "", Cell("not in Close"), ""
        return
    different = [each for each in found.keys if each.differs]
    for each in different or [TypeKey(key="")]:
        yield found.name, found.id, each.key, _text(each.observed), _text(each.desired)


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
