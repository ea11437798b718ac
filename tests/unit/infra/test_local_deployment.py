"""The build of a local stack: once, whatever starts at the same time."""

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from infra.local import deployment


def test_two_starts_at_once_build_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started, may_end, builds = Event(), Event(), []

    class Build:
        def finish(self, seconds: float) -> None:
            started.set()
            assert may_end.wait(30)

    def start(name: str, *_: Any) -> Build:
        builds.append(name)
        return Build()

    monkeypatch.setattr(deployment, "BUILT", tmp_path / "sam")
    monkeypatch.setattr("infra.local.processes.Process.start", start)
    (tmp_path / "sam").mkdir()
    first, second = (Thread(target=deployment.build, args=(tmp_path / "log",)) for _ in range(2))
    first.start()
    assert started.wait(30)
    assert deployment.needs_build()
    second.start()
    may_end.set()
    first.join()
    second.join()

    assert builds == ["sam build"]
    assert not deployment.needs_build()
