"""``console``: the page that shows what happens, why, and lets people try again."""

import webbrowser
from typing import Annotated

import typer

from close_provisioner.invocation import Invocation
from close_provisioner.registration import command
from close_provisioner.stack.example_events import ExampleEvents


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "console",
        needs=[
            "execute-api:Invoke on GET/v1/*, POST/v1/plans and POST/v1/tenants/*/checks",
            "more with --allow-changes",
        ],
        examples=["console", "console --stack close-provisioner-prod --open", "console --local --allow-changes"],
    )(console)


def console(
    invocation: Invocation,
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="The port; 0 takes any.")] = 0,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="Let the page retry, redrive, drop and send.")
    ] = False,
    opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Serve a page on 127.0.0.1 that shows requests, tenants, types, dead letters and sources, until Ctrl-C.

    It asks the stack with your own credentials. The URL has a secret: keep it to yourself.
    """
    from close_provisioner.console.server import Options, serve  # noqa: PLC0415 - a web server, which no other command needs

    stack = invocation.stack

    def say(url: str) -> None:
        invocation.printer.line(url)
        invocation.host.stdout.flush()  # a program that started the console waits for this line
        invocation.printer.note("Open this URL in a browser on this machine. Ctrl-C ends the console.")
        if opened:
            webbrowser.open(url)

    events = ExampleEvents.near(invocation.host.folder, invocation.host.environment) if stack.is_local else None
    serve(invocation.service, Options(port, allow_changes, events), say)
