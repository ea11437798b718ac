"""``send``: one signed event of an upstream sender, from the fixtures of the project."""

from pathlib import Path
from typing import Annotated

import typer

from close_provisioner.errors import NotFound
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import read_secret
from close_provisioner.registration import command
from close_provisioner.stack.example_events import ExampleEvents


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    command(
        app,
        "send",
        needs=[
            "none for the event, which its sender's secret signs",
            "execute-api:Invoke on GET/v1/provisioning-requests/*",
        ],
        examples=["send", "send clerk --tenant acme", "send stripe --tampered"],
    )(send)


def send(
    invocation: Invocation,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The sender.")] = "stripe",
    event: Annotated[str | None, typer.Option("--event", metavar="NAME", help="One of its events.")] = None,
    tenant: Annotated[str, typer.Option("--tenant", "-t", metavar="TENANT", help="The tenant in the event.")] = "acme",
    again: Annotated[bool, typer.Option("--again", help="Deliver it twice, as after a lost response.")] = False,
    tampered: Annotated[bool, typer.Option("--tampered", help="Change the body after signing: it is refused.")] = False,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="The signing secret of a deployed stack; - reads it from standard input.",
        ),
    ] = None,
) -> None:
    """Send one signed event as a sender would, and show its outcome. It is a real signup.

    The local stack has a signing secret for each source. For a deployed stack the secret comes from a hidden prompt,
    standard input or a file. It needs the project's folder, which has the events.
    """
    events = ExampleEvents.near(invocation.host.folder, invocation.host.environment)
    if events is None:
        raise NotFound("The events to send are in the project's folder: run `close-provisioner send` there.")
    given = {"AGAIN": str(int(again)), "TAMPER": str(int(tampered))}
    if not invocation.stack.is_local:
        secret = read_secret(invocation.printer, f"The signing secret of {source}", secret_file)
        given |= {"URL": invocation.stack.api_url, "SECRET": secret}
    sent = events.send(source, event or "", tenant, **given)
    invocation.printer.line(sent.text)
    raise typer.Exit(ExitCode.DONE if sent.succeeded else ExitCode.BAD)
