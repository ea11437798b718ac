"""Adds commands to the command line: each with the shared options, and its permissions and examples in ``--help``."""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from close_provisioner.errors import Interrupted
from close_provisioner.host import Host
from close_provisioner.invocation import Invocation

COLUMNS = 80
SHARED: dict[str, tuple[Any, Any]] = {
    "stack": (
        Annotated[
            str | None, typer.Option("--stack", metavar="NAME", help="The stack, by its name in CloudFormation.")
        ],
        None,
    ),
    "local": (Annotated[bool, typer.Option("--local", help="The local stack of `make run`.")], False),
    "profile": (Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The AWS profile.")], None),
    "region": (Annotated[str | None, typer.Option("--region", metavar="NAME", help="The AWS region.")], None),
    "as_json": (Annotated[bool, typer.Option("--json", help="Print JSON; lists print one object a line.")], False),
    "utc": (Annotated[bool, typer.Option("--utc", help="Show times in UTC, not in local time.")], False),
}
"""The options that every command has: their annotations and defaults."""

PERMISSIONS: dict[str, tuple[str, ...]] = {}
"""The permissions of each command by its words, as ``--help`` and the reference page show them."""

EXAMPLES: dict[str, tuple[str, ...]] = {}
"""The examples of each command by its words. Tests run them."""

type Run = Callable[..., None]


def group(parent: typer.Typer, name: str, about: str) -> typer.Typer:
    """Return a new group of commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=about)
    parent.add_typer(app, name=name)
    app.info.name = name
    return app


def command(app: typer.Typer, name: str, *, needs: Sequence[str], examples: Sequence[str]) -> Callable[[Run], Run]:
    """Register a function as a command. Its first parameter is the ``Invocation``, its docstring the help.

    ``needs``: the IAM permissions that it takes. ``examples``: command lines without the program's name.
    """
    words = f"{app.info.name} {name}" if isinstance(app.info.name, str) else name
    PERMISSIONS[words] = tuple(needs)
    EXAMPLES[words] = tuple(examples)

    def register(function: Run) -> Run:
        def run(context: typer.Context, **given: Any) -> None:
            host = context.obj if isinstance(context.obj, Host) else Host()
            shared = {each: given.pop(each) for each in SHARED}
            try:
                function(Invocation.of(host, shared), **given)
            except KeyboardInterrupt:
                raise Interrupted("Interrupted.") from None
            except BrokenPipeError:  # the reader has enough
                raise typer.Exit(0) from None

        own = list(inspect.signature(function).parameters.values())[1:]
        shared = [_keyword(each, annotation, default) for each, (annotation, default) in SHARED.items()]
        parameters = [_keyword("context", typer.Context), *(_as_keyword(each) for each in own), *shared]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        about = inspect.getdoc(function) or ""
        run.__doc__ = _help(about, needs, examples)
        app.command(name, short_help=about.partition("\n\n")[0].replace("\n", " "))(run)
        return function

    return register


def _keyword(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _as_keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _help(about: str, needs: Sequence[str], examples: Sequence[str]) -> str:
    """Return the help. Lines after \\b keep their breaks."""
    shown = [f"  close-provisioner {each}" for each in examples]
    return "\n\n".join(
        [
            about,
            "\n".join(["\b", "Examples:", *shown]),
            "\n".join(["\b", "Permissions:", *(f"  {each}" for each in needs)]),
        ]
    )
