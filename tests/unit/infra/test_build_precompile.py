"""Precompiled code is what Python itself would compile, and nothing depends on it."""

import collections
import dataclasses
import marshal
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.build.precompile import Recorded, precompile
from provisioner.precompiled import VERSION, use_precompiled

PATTERN = r"(?i)(?P<year>\d{4})-[a-z\u00e9]+"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("precompiled") / "precompiled.bin"
    precompile(file)
    return file


def load(file: Path) -> Any:
    return marshal.loads(file.read_bytes())  # noqa: S302 - made by the test


def start() -> None:
    """Do what a library does while it is imported."""
    dataclasses.make_dataclass("Point", [("x", int), ("y", "int")], frozen=True)
    collections.namedtuple("Pair", "left right")
    typing.ForwardRef("int | None")
    re.purge()
    re.compile(PATTERN)


@pytest.fixture
def of_start(tmp_path: Path) -> Iterator[Path]:
    recorded = Recorded()
    recorded.record(start)
    file = tmp_path / "precompiled.bin"
    file.write_bytes(marshal.dumps((VERSION, *recorded.compiled())))
    yield file
    re.purge()


class Compiled(NamedTuple):
    """Texts and patterns that were compiled all the same."""

    texts: list[str]
    patterns: list[str]


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[Compiled]:
    compiler = re._compiler  # type: ignore[attr-defined]
    found, active, parse = Compiled([], []), [True], compiler._parser.parse

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if active and event == "compile" and arguments[0] is not None:
            found.texts.append(str(arguments[0]))

    def heard(pattern: str, *more: object) -> object:
        found.patterns.append(pattern)
        return parse(pattern, *more)

    sys.addaudithook(hear)  # a hook cannot be removed
    monkeypatch.setattr(compiler._parser, "parse", heard)
    yield found
    active.clear()


def test_it_is_what_python_compiles(file: Path) -> None:
    version, functions, expressions, patterns = load(file)
    assert version == VERSION
    assert len(functions) > 50
    assert len(expressions) > 100
    assert len(patterns) > 100
    for mode, codes in (("exec", functions), ("eval", expressions)):
        for text, code in codes.items():
            assert code == compile(text, "<string>", mode, dont_inherit=True)
    for (pattern, flags), (all_flags, code, groups, by_name, names) in patterns.items():
        made = re._compiler._sre.compile(pattern, all_flags, code, groups, by_name, names)  # type: ignore[attr-defined]
        assert made == re.compile(pattern, flags)  # compares what they are compiled to


def test_it_is_the_same_every_time(file: Path, tmp_path: Path) -> None:
    precompile(tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == file.read_bytes()


def test_nothing_in_the_file_is_compiled_again(of_start: Path, others: Compiled) -> None:
    end = use_precompiled(of_start)
    try:
        start()
    finally:
        end()
    assert others == ([], [])


def test_everything_else_is_compiled(of_start: Path, others: Compiled) -> None:
    end = use_precompiled(of_start)
    try:
        point = dataclasses.make_dataclass("Point", [("z", int)])(3)
        triple_type: Any = collections.namedtuple("triple_type", "a b c")
        triple = triple_type(1, 2, 3)
        found = re.compile("never recorded").fullmatch("never recorded")
        assert typing.ForwardRef("float")._evaluate({}, {}, (), recursive_guard=frozenset()) is float
    finally:
        end()
    assert (point.z, triple.c) == (3, 3)
    assert found
    assert others.patterns == ["never recorded"]
    with pytest.raises(SyntaxError):
        typing.ForwardRef("not an expression")


@pytest.mark.parametrize("version", [(*VERSION[:2], 0), (3, 12, VERSION[2])], ids=["patterns", "byte code"])
def test_a_file_of_another_python_is_not_used(of_start: Path, others: Compiled, version: tuple[int, ...]) -> None:
    _, *rest = load(of_start)
    of_start.write_bytes(marshal.dumps((version, *rest)))
    end = use_precompiled(of_start)
    start()
    end()
    assert PATTERN in others.patterns
    assert others.texts


def test_without_a_file_the_standard_library_is_left_alone(tmp_path: Path) -> None:
    use_precompiled(tmp_path / "missing.bin")()
    assert "exec" not in vars(dataclasses)


def test_it_ends_and_may_end_again(of_start: Path) -> None:
    before = re._compiler.compile  # type: ignore[attr-defined]
    end = use_precompiled(of_start)
    assert "exec" in vars(dataclasses)
    end()
    end()
    assert not {"exec", "eval", "compile"} & {*vars(dataclasses), *vars(collections), *vars(typing)}
    assert re._compiler.compile is before  # type: ignore[attr-defined]
