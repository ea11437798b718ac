"""The program ``close-provisioner``: its groups of commands, and how each of them ends."""

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Annotated

import typer
from typer.exceptions import TyperException

from close_provisioner.commands import (
    apply,
    audit,
    blueprints,
    console,
    dead_letters,
    doctor,
    plan,
    request_actions,
    requests,
    send,
    sources,
    status,
    tenant_secrets,
    tenant_types,
    tenants,
)
from close_provisioner.errors import CommandError
from close_provisioner.exit_codes import ExitCode, code_of
from close_provisioner.host import Host
from close_provisioner.output.printer import Printer
from close_provisioner.registration import group

PROGRAM = "close-provisioner"


@cache
def program() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(name=PROGRAM, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback(help=ABOUT)(_options)
    app.info.name = None
    for module in (status, doctor, console, plan, apply, send, audit):
        module.add_to(app)
    for name, (about, modules) in GROUPS.items():
        added = group(app, name, about)
        for each in modules:
            each.add_to(added)
    return app


GROUPS: dict[str, tuple[str, Sequence[ModuleType]]] = {
    "requests": ("Requests: what happened, and why.", (requests, request_actions)),
    "tenants": ("Tenants: who they are, whether they work, and their keys.", (tenants, tenant_types, tenant_secrets)),
    "sources": ("Senders of webhooks, and their signing secrets.", (sources,)),
    "dead-letters": ("Messages that were given up.", (dead_letters,)),
    "blueprints": ("The named specs that the deployed version knows.", (blueprints,)),
}
ABOUT = """Operate Close Provisioner: see, explain, check, retry.

Each command is about one stack: --stack NAME, --local, $CLOSE_PROVISIONER_STACK, the local stack that runs in this
folder, or the stack close-provisioner, in that order.
"""


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(_version())
        raise typer.Exit


def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _version() -> str:
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "unknown"


def run(arguments: Sequence[str], host: Host) -> int:
    """Run one command line, and return its exit code."""
    printer = Printer(host)
    try:
        result = program()(args=list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=host)
    except CommandError as error:
        printer.error(str(error))
        return code_of(error)
    except TyperException as error:
        return _misused(printer, error)
    return result if isinstance(result, int) else ExitCode.DONE


def main() -> None:
    """Run the command line of this process."""
    code = run(sys.argv[1:], Host())
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has enough; without this, Python complains at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _misused(printer: Printer, error: TyperException) -> int:
    """Print one sentence, or the help if no command was given."""
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        printer.line(message)
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    path = context.command_path if context else PROGRAM
    printer.error(f"{message.rstrip('.')}. See: {path} --help")
    return ExitCode.USAGE


if __name__ == "__main__":
    main()
