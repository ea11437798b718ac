"""Byte code for what libraries compile while they are imported, which no ``.pyc`` file holds.

Dataclasses and named tuples compile the text of their methods, ``typing`` compiles annotations, and ``re`` compiles
patterns: together a quarter of a cold start. The build records these texts (infra/build/precompile.py) and ships what
they compile to in one file. A result is found by the text that it was compiled from, so that it is never another one's.
A text that the file lacks is compiled as usual; so is everything if another version of Python made the file.
"""

import collections
import dataclasses
import marshal
import re
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

_regex: Any = re._compiler  # type: ignore[attr-defined]  # noqa: SLF001
_sre: Any = _regex._sre  # noqa: SLF001

FILE = Path(__file__).with_suffix(".bin")
VERSION = (*sys.version_info[:2], _sre.MAGIC)
"""The version of byte code, and that of compiled patterns."""


def use_precompiled(file: Path = FILE) -> Callable[[], None]:
    """Let the standard library take its code from the file. Return a function that ends this."""
    try:
        version, functions, expressions, patterns = marshal.loads(file.read_bytes())  # noqa: S302 - our own file
    except FileNotFoundError:  # the file is part of an artifact
        return lambda: None
    if version != VERSION:
        return lambda: None

    def execute(text: str, *scopes: Any) -> None:
        exec(functions.get(text, text), *scopes)  # noqa: S102

    def evaluate(text: str, *scopes: Any) -> Any:
        return eval(expressions.get(text, text), *scopes)  # noqa: S307

    def compile_text(text: Any, file_name: str, mode: str, **options: Any) -> Any:
        found = expressions.get(text) if mode == "eval" and not options else None
        return found or compile(text, file_name, mode, **options)

    def compile_pattern(pattern: Any, flags: int = 0) -> Any:
        found = patterns.get((pattern, flags))
        return _sre.compile(pattern, *found) if found else compile_other(pattern, flags)

    compile_other = _regex.compile
    _regex.compile = compile_pattern
    hidden: dict[Any, tuple[str, Any]] = {
        dataclasses: ("exec", execute),
        collections: ("eval", evaluate),
        typing: ("compile", compile_text),
    }
    for module, (name, replacement) in hidden.items():
        setattr(module, name, replacement)  # a global of the module hides the built-in function

    def end() -> None:
        _regex.compile = compile_other
        for module, (name, _) in hidden.items():
            vars(module).pop(name, None)

    return end
