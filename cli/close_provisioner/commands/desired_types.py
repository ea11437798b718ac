"""The options that say which types are desired, shared by plan and apply."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from close_provisioner.client.desired import of_blueprint, of_file, parse_values
from close_provisioner.errors import Misused
from close_provisioner.invocation import Invocation

TenantsOption = Annotated[
    list[str] | None, typer.Option("--tenant", "-t", metavar="TENANT", help="The tenant; may be repeated.")
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="The types, in TOML, YAML or JSON; - reads standard input."),
]
BlueprintOption = Annotated[
    str | None, typer.Option("--blueprint", "-b", metavar="NAME", help="A blueprint of the stack, instead of a file.")
]
ValueOption = Annotated[
    list[str] | None,
    typer.Option("--value", metavar="NAME=VALUE", help="A value of the blueprint; given twice, it is a list."),
]
IfExistsOption = Annotated[
    str | None,
    typer.Option("--if-exists", metavar="adopt|update|fail", help="The action on a type that exists already."),
]
IF_EXISTS = ("adopt", "update", "fail")


def desired_body(
    invocation: Invocation,
    file: Path | None,
    blueprint: str | None,
    values: Sequence[str] | None,
    if_exists: str | None,
) -> dict[str, Any]:
    """Return the body of the request, without tenant and id."""
    if (file is None) == (blueprint is None):
        raise Misused("Give one of --file and --blueprint.")
    if if_exists is not None and if_exists not in IF_EXISTS:
        raise Misused(f"--if-exists is {if_exists!r}: it must be one of {', '.join(IF_EXISTS)}.")
    given = parse_values(values or ())
    body = of_blueprint(blueprint, given) if blueprint else of_file(_path(file), _text(invocation, file), given)
    body = {key: value for key, value in body.items() if key not in {"request_id", "plan_digest"}}
    return body | ({"if_exists": if_exists} if if_exists else {})


def tenants_of(tenants: Sequence[str] | None, body: dict[str, Any]) -> list[str]:
    """Return the tenants that are named, in the options or else in the file. ``default`` is the only one's name."""
    return list(dict.fromkeys(tenants or [body.get("tenant") or "default"]))


def _path(file: Path | None) -> Path | None:
    return None if file is None or str(file) == "-" else file


def _text(invocation: Invocation, file: Path | None) -> str:
    path = _path(file)
    try:
        return path.read_text(encoding="utf-8") if path else invocation.host.stdin.read()
    except OSError as error:
        raise Misused(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Misused(f"{path or 'standard input'} is not text in UTF-8.") from None
