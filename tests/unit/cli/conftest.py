"""A stack in a temporary folder for each test of the command line."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.terminal import FakeStack


@pytest.fixture
def stack(tmp_path: Path) -> FakeStack:
    return FakeStack(tmp_path / "state")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let local time be UTC, so that outputs are the same on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
