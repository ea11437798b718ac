"""``blueprints``: the named specs that the deployed version knows."""

from typing import Annotated

import typer

from close_provisioner.invocation import Invocation
from close_provisioner.output.table import Column
from close_provisioner.registration import command


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(
        app,
        "list",
        needs=["execute-api:Invoke on GET/v1/blueprints"],
        examples=["blueprints list", "blueprints list --json"],
    )(list_all)
    command(
        app,
        "show",
        needs=["execute-api:Invoke on GET/v1/blueprints/*"],
        examples=["blueprints show account"],
    )(show)


def list_all(invocation: Invocation) -> None:
    """List the blueprints, with the types that each creates.

    Columns: name, types, values, description.
    """
    found = invocation.service.blueprints.all()
    invocation.printer.table(
        [
            Column("NAME"),
            Column("TYPES", 8, wraps=True),
            Column("VALUES", 7, wraps=True),
            Column("DESCRIPTION", 6, wraps=True),
        ],
        [(each.name, ", ".join(each.type_names), ", ".join(each.values), each.description) for each in found],
        [each.raw for each in found],
        empty="The stack has no blueprints. Files in functions/blueprints/ become blueprints when they are deployed.",
    )


def show(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The blueprint.")],
) -> None:
    """Show a blueprint: its values, its types and their fields."""
    found = invocation.service.blueprints.one(name)
    printer = invocation.printer
    if printer.as_json:
        printer.document(found.raw)
        return
    printer.line(f"{found.name}  {found.description}")
    for value, about in found.values.items():
        default = f" (default: {about['default']})" if about.get("default") is not None else " (required)"
        printer.line(f"  --value {value}=…  {about.get('description', '')}{default}")
    for each in found.custom_object_types:
        printer.line()
        printer.line(f"  type {each['name']}")
        for field in each.get("fields", ()):
            printer.line(f"    {field['name']} ({field.get('type', 'shared')})")
