"""Compile in advance what the libraries compile while a function starts: ``python -m infra.build.precompile <file>``.

It imports every handler, in this process and with this machine's packages, and records each text that
``dataclasses``, ``collections``, ``typing`` and ``re`` compile. The same packages have the same texts on every
processor. Lambda's Python finds a result by its text (functions/provisioner/precompiled.py), and compiles what it does
not find.
"""

import collections
import dataclasses
import importlib
import marshal
import os
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import infra.functions_path  # noqa: F401

MARSHAL_VERSION = 2
"""The newest format whose bytes depend on the content alone: later ones write which objects happen to be shared."""

HANDLERS = Path(__file__).resolve().parents[2] / "functions" / "provisioner" / "handlers"


class Recorded:
    """The texts, by the way in which they are compiled."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.expressions: set[str] = set()
        self.patterns: dict[tuple[str | bytes, int], tuple[Any, ...]] = {}

    def record(self, start: Callable[[], None]) -> None:
        """Call the function, and record what it compiles."""
        compiler: Any = re._compiler  # type: ignore[attr-defined]  # noqa: SLF001
        sre: Any = compiler._sre  # noqa: SLF001

        def execute(text: str, *scopes: Any) -> None:
            self.functions.add(text)
            exec(text, *scopes)  # noqa: S102

        def evaluate(text: str, *scopes: Any) -> Any:
            self.expressions.add(text)
            return eval(text, *scopes)  # noqa: S307

        def compile_text(text: str, file_name: str, mode: str) -> Any:
            self.expressions.add(text)
            return compile(text, file_name, mode)

        def compile_pattern(pattern: Any, flags: int = 0, *, compile_other: Any = compiler.compile) -> Any:
            with patch.object(sre, "compile", wraps=sre.compile) as compiled:
                made = compile_other(pattern, flags)
            if isinstance(pattern, str | bytes):
                _, all_flags, code, *groups = compiled.call_args.args
                self.patterns[pattern, int(flags)] = (int(all_flags), list(map(int, code)), *groups)
            return made

        with (
            patch.object(dataclasses, "exec", execute, create=True),
            patch.object(collections, "eval", evaluate, create=True),
            patch.object(typing, "compile", compile_text, create=True),
            patch.object(compiler, "compile", compile_pattern),
        ):
            start()

    def compiled(self) -> tuple[Any, ...]:
        """Return the content of the file, in a fixed order."""
        return (
            {text: compile(text, "<string>", "exec", dont_inherit=True) for text in sorted(self.functions)},
            {text: compile(text, "<string>", "eval", dont_inherit=True) for text in sorted(self.expressions)},
            {key: self.patterns[key] for key in sorted(self.patterns, key=repr)},
        )


def precompile(file: Path) -> None:
    """Write the file in a process of its own, which has imported nothing before and makes the same bytes every time."""
    subprocess.run(  # noqa: S603 - this module and a path
        [sys.executable, "-P", "-m", "infra.build.precompile", str(file)],
        env={"PATH": os.defpath, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        check=True,
        stdin=subprocess.DEVNULL,
    )


def import_handlers() -> None:
    """Import every handler, and what a first call imports."""
    importlib.import_module("httpcore")
    for path in sorted(HANDLERS.glob("*.py")):
        importlib.import_module(f"provisioner.handlers.{path.stem}")


def main(file: Path) -> None:
    recorded = Recorded()
    recorded.record(import_handlers)
    from provisioner.precompiled import VERSION  # noqa: PLC0415 - nothing is imported before it is recorded

    file.write_bytes(marshal.dumps((VERSION, *recorded.compiled()), MARSHAL_VERSION))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
