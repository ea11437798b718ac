"""``sources list|add|check|rotate``: the senders of webhooks, and their signing secrets."""

from pathlib import Path
from typing import Annotated

import typer

from close_provisioner.client.secrets import SecretStore
from close_provisioner.client.sources import Source
from close_provisioner.commands.options import checked_name
from close_provisioner.errors import Misused, NotFound, Refused
from close_provisioner.exit_codes import ExitCode
from close_provisioner.invocation import Invocation
from close_provisioner.output.asking import read_secret
from close_provisioner.output.checks import print_checks
from close_provisioner.output.table import Column, Value
from close_provisioner.registration import command

NameArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="The sender, for example stripe.")]
SecretFileOption = Annotated[
    Path | None,
    typer.Option("--secret-file", metavar="FILE", help="A file with the secret; - reads it from standard input."),
]
CHECKS = "execute-api:Invoke on POST/v1/sources/*/checks"
LISTS = "execute-api:Invoke on GET/v1/sources"
SECRETS = "on <SourceSecretPrefix>/*"


def add_to(app: typer.Typer) -> None:
    """Add the commands to their group."""
    command(app, "list", needs=[LISTS], examples=["sources list"])(list_all)
    command(
        app,
        "add",
        needs=[f"secretsmanager:DescribeSecret, CreateSecret, PutSecretValue {SECRETS}", LISTS, CHECKS],
        examples=["sources add stripe", "sources add clerk --secret-file secret.txt"],
    )(add)
    command(app, "check", needs=[CHECKS, LISTS], examples=["sources check stripe", "sources check --all"])(check)
    command(
        app,
        "rotate",
        needs=[f"secretsmanager:DescribeSecret, GetSecretValue, PutSecretValue {SECRETS}", CHECKS],
        examples=["sources rotate stripe", "sources rotate stripe --retire-old"],
    )(rotate)


def list_all(invocation: Invocation) -> None:
    """List the senders that this version knows, and which of them are open.

    Columns: source, open, number of active secrets, signups of the last day, URL for the sender, fault.
    """
    found = invocation.service.sources.all()
    invocation.printer.table(
        [
            Column("SOURCE"),
            Column("OPEN", 8),
            Column("SECRETS", 3, right=True),
            Column("LAST DAY", 5, right=True),
            Column("URL", 7),
            Column("FAULT", 6, wraps=True),
        ],
        [_row(invocation, each) for each in found],
        [{**each.raw, "url": _url(invocation, each)} for each in found],
        empty="This version has no sources.",
    )


def add(invocation: Invocation, source: NameArgument, secret_file: SecretFileOption = None) -> None:
    """Store a sender's signing secret, which opens its URL, and test it.

    The secret comes from a prompt that does not show it, from a file or from standard input; no argument takes it.
    """
    known = _known(invocation, source)
    store = _store(invocation)
    before = store.state(checked_name(source))
    if before.is_stored:
        raise Refused(f"{source} has a secret. Add one beside it with: close-provisioner sources rotate {source}")
    secret = read_secret(invocation.printer, f"The signing secret of {source}", secret_file)
    if before.exists:
        store.put_signing_secrets(source, [secret])
    else:
        store.create_signing_secret(source, secret)
    _check(invocation, [source])
    invocation.printer.note(f"✔ Paste this URL at the sender: {_url(invocation, known)}")


def check(
    invocation: Invocation,
    sources: Annotated[list[str] | None, typer.Argument(metavar="SOURCE...", help="The senders.")] = None,
    all_sources: Annotated[bool, typer.Option("--all", help="Every sender that has a secret.")] = False,
) -> None:
    """Sign each example event with the stored secret, and take it through verification and mapping.

    Nothing is provisioned. The exit code is 5 if a sender's events would be refused.
    """
    if bool(sources) == all_sources:
        raise Misused("Name sources, or give --all.")
    names = [each.source for each in invocation.service.sources.all() if each.secret_stored] if all_sources else sources
    _check(invocation, list(names or ()))


def rotate(
    invocation: Invocation,
    source: NameArgument,
    secret_file: SecretFileOption = None,
    retire_old: Annotated[
        bool, typer.Option("--retire-old", help="Keep only the newest secret, and add none.")
    ] = False,
) -> None:
    """Store a new signing secret beside the old ones, so that no event is lost while the sender changes.

    Once the sender signs with the new one, `--retire-old` removes the others.
    """
    store = _store(invocation)
    store.require(checked_name(source), "The source")
    active = store.signing_secrets(source)
    if retire_old:
        store.put_signing_secrets(source, active[:1])
        _check(invocation, [source])
        invocation.printer.note(f"✔ {source} keeps its newest secret; {len(active) - 1} removed.")
        return
    secret = read_secret(invocation.printer, f"The new signing secret of {source}", secret_file)
    store.put_signing_secrets(source, [secret, *(each for each in active if each != secret)])
    _check(invocation, [source])
    invocation.printer.note(
        f"✔ {source} takes both secrets within half a minute. After the change at the sender: "
        f"close-provisioner sources rotate {source} --retire-old"
    )


def _check(invocation: Invocation, names: list[str]) -> None:
    ready = True
    for name in names:
        report = invocation.service.sources.check(name)
        if invocation.printer.as_json:
            invocation.printer.document(report.raw)
        else:
            print_checks(invocation.printer, name, report.checks)
        ready = ready and report.ready
    if not ready:
        raise typer.Exit(ExitCode.BAD)


def _known(invocation: Invocation, name: str) -> Source:
    found = invocation.service.sources.all()
    for each in found:
        if each.source == name:
            return each
    raise NotFound(f"This version has no source {name}. It has: {', '.join(each.source for each in found)}.")


def _store(invocation: Invocation) -> SecretStore:
    return SecretStore(invocation.stack, invocation.stack.source_secret_prefix)


def _url(invocation: Invocation, each: Source) -> str:
    return f"{invocation.stack.api_url}{each.path}"


def _row(invocation: Invocation, each: Source) -> list[Value]:
    opened = {True: "yes", False: "no", None: "?"}[each.secret_stored]
    return [each.source, opened, each.active_secrets, each.accepted_last_day, _url(invocation, each), each.fault]
