"""The command line of the local stack: ``python -m infra.local run|send|key|clean``.

Each option can also be given as an environment variable, which is how ``make run`` and ``make send`` pass theirs.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

RUN = "Start the whole stack on this machine, send the examples, print every outcome, and serve until Ctrl-C."
SEND = "Send one signed webhook to the stack of `make run`, and print the outcome."
LOCAL = Path(__file__).resolve().parents[2] / ".local"
ALLOW = "Let a tenant of the simulated Close create types: raise its plan, and give its role the permission."
KEY = "Make an API key for a tenant in the simulated Close of `make run`, and print it."
CLEAN = "Check that no local stack is up, and stop the processes that a killed run left."


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run one command, and return its exit code. Options take precedence over environment variables."""
    given = vars(_parser().parse_args(arguments))
    command = given.pop("command")
    variables = {**environment, **{name: value for name, value in given.items() if value is not None}}
    match command:
        case "run":
            from infra.local.run import main as run  # noqa: PLC0415 - a command imports only what it needs

            return run(variables)
        case "send":
            from infra.local.send import main as send  # noqa: PLC0415 - a command imports only what it needs

            return send(variables, Path(environment.get("CLOSE_PROVISIONER_LOCAL", LOCAL)))
        case "key":
            from infra.local.close_administrator import key  # noqa: PLC0415 - a command imports only what it needs

            return key(variables, Path(environment.get("CLOSE_PROVISIONER_LOCAL", LOCAL)))
        case "allow":
            from infra.local.close_administrator import allow  # noqa: PLC0415 - a command imports only what it needs

            return allow(variables, Path(environment.get("CLOSE_PROVISIONER_LOCAL", LOCAL)))
        case _:
            from infra.local.clean import main as clean  # noqa: PLC0415 - a command imports only what it needs

            return clean()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="The whole service on this machine, without an AWS account and without Docker.",
        epilog="Use `make run`, `make send` and `make clean`: they install what is needed first.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run | send | key | allow | clean")
    variables = "With make, each name in capitals is a variable: make {}"
    for command, about, example, add_options in (
        ("run", RUN, "run PORT=0 ONCE=1", _add_run_options),
        ("send", SEND, "send SOURCE=github TENANT=acme", _add_send_options),
        ("key", KEY, "key TENANT=initech", _add_tenant_option),
        ("allow", ALLOW, "allow TENANT=hooli", _add_tenant_option),
    ):
        add_options(commands.add_parser(command, help=about, description=about, epilog=variables.format(example)))
    commands.add_parser("clean", help=CLEAN, description=CLEAN)
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--port", dest="PORT", help="port of the local AWS, which serves the HTTP API too (4566; 0: any free port)")
    add("--close-api-url", dest="CLOSE_API_URL", help="call this Close API instead of the simulated Close")
    add("--no-examples", dest="EXAMPLES", action="store_const", const="0", help="send no examples (EXAMPLES=0)")
    add(
        "--no-console",
        dest="CONSOLE",
        action="store_const",
        const="0",
        help="without the page in a browser (CONSOLE=0)",
    )
    once = "stop after the examples; exit code 1 if one went wrong (ONCE=1)"
    add("--once", dest="ONCE", action="store_const", const="1", help=once)
    record = "write the picture of README.md to this file (needs LIST_LAG_SECONDS=2)"
    add("--record", dest="RECORD", help=record)
    lag = "how long a new type may be missing from Close's list (the template's default: 60)"
    add("--list-lag-seconds", dest="LIST_LAG_SECONDS", help=lag)
    timeout = "how long one call to Close may take (the template's default: 20)"
    add("--close-timeout-seconds", dest="CLOSE_TIMEOUT_SECONDS", help=timeout)


def _add_tenant_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", dest="TENANT", help="the tenant; one without an organization gets one (acme)")


def _add_send_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", dest="SOURCE", help="a source of functions/sources (stripe)")
    add("--event", dest="EVENT", help="one of the source's events (its first)")
    add("--tenant", dest="TENANT", help="the tenant that the event is for (acme)")
    again = "deliver it twice, as a sender does that got no response (AGAIN=1)"
    add("--again", dest="AGAIN", action="store_const", const="1", help=again)
    add("--tamper", dest="TAMPER", action="store_const", const="1", help="change it after it was signed (TAMPER=1)")
    url = "ApiUrl of another stack; the outcome is read with the AWS credentials of the environment, if there are any"
    add("--url", dest="URL", help=url)
    add("--secret", dest="SECRET", help="the source's signing secret at URL")


if __name__ == "__main__":
    sys.exit(main())
