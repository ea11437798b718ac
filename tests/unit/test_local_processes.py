"""Nothing that a run starts outlives it, or the next run."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra.local.emulator import without_aws
from infra.local.failures import CannotRun
from infra.local.processes import Process
from infra.local.state_folder import StateFolder

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
SAY = [sys.executable, "-c", "print('port taken')"]


class TestProcesses:
    def test_what_a_process_started_ends_with_it(self, tmp_path: Path) -> None:
        parent = f"import subprocess, time; print(subprocess.Popen({SLEEP!r}).pid, flush=True); time.sleep(60)"
        process = Process.start("a parent", [sys.executable, "-c", parent], tmp_path / "log", os.environ)
        process.wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"), 10)
        child = int((tmp_path / "log").read_text())
        assert is_running(child)
        process.stop()
        assert not is_running(child)
        assert not is_running(process.pid)
        process.stop()  # once more does nothing

    def test_one_that_ignores_the_polite_signal_ends_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("infra.local.processes.GRACE_SECONDS", 0.2)
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
        process = Process.start("a deaf one", [sys.executable, "-c", deaf], tmp_path / "log", os.environ)
        process.wait_until(lambda: (tmp_path / "log").read_text() == "\n", 10)
        process.stop()
        assert process.child.returncode == -signal.SIGKILL

    def test_of_a_tool_that_fails_its_last_words_are_shown(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "print('no such bucket'); raise SystemExit(3)"]
        process = Process.start("the tool", command, tmp_path / "log", os.environ)
        with pytest.raises(CannotRun, match=r"the tool failed \(exit code 3\)(.|\n)*no such bucket(.|\n)*log"):
            process.finish(20)

    def test_a_tool_that_takes_too_long_is_ended(self, tmp_path: Path) -> None:
        process = Process.start("the tool", SLEEP, tmp_path / "log", os.environ)
        with pytest.raises(CannotRun, match="did not end within"):
            process.finish(0.1)
        assert not is_running(process.pid)

    def test_a_server_that_ends_is_not_waited_for(self, tmp_path: Path) -> None:
        process = Process.start(
            "the server", [sys.executable, "-c", "print('port taken')"], tmp_path / "log", os.environ
        )
        with pytest.raises(CannotRun, match=r"the server has ended(.|\n)*port taken"):
            process.wait_until(lambda: False, 20)

    def test_tools_hear_nothing_of_real_accounts(self) -> None:
        assert without_aws({"AWS_PROFILE": "production", "PYTHONPATH": "x", "PATH": "p"}) == {"PATH": "p"}


class TestStateFolder:
    def test_one_run_has_it_at_a_time(self, tmp_path: Path) -> None:
        first, second = StateFolder(tmp_path), StateFolder(tmp_path)
        assert first.claim() == []
        with pytest.raises(CannotRun, match=rf"running already \(process {os.getpid()}\)"):
            second.claim()
        first.release()
        assert second.claim() == []
        second.release()

    def test_what_a_killed_run_left_is_ended_and_removed(self, tmp_path: Path, orphan: Process) -> None:
        killed = StateFolder(tmp_path)
        killed.claim()
        killed.record(orphan)
        killed.description.write_text("{}")
        (killed.temporary / "ministack-lambda-x").mkdir()
        lose_lock(killed)
        following = StateFolder(tmp_path)
        assert following.claim() == ["an orphan"]
        assert not is_running(orphan.pid)
        assert not following.description.exists()
        assert list(following.temporary.iterdir()) == []
        following.release()
        assert not following.temporary.exists()

    def test_another_process_by_an_old_number_is_left_alone(self, tmp_path: Path, orphan: Process) -> None:
        killed = StateFolder(tmp_path)
        killed.claim()
        killed.record(orphan)
        recorded = tmp_path / "processes.json"
        recorded.write_text(recorded.read_text().replace('"started": "', '"started": "1'))
        lose_lock(killed)
        following = StateFolder(tmp_path)
        assert following.claim() == []
        assert is_running(orphan.pid)
        following.release()


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Process]:
    process = Process.start("an orphan", SLEEP, tmp_path / "orphan.log", os.environ)
    yield process
    process.stop()


def lose_lock(folder: StateFolder) -> None:
    """As when its process was killed."""
    assert folder._lock
    folder._lock.close()


def is_running(pid: int) -> bool:
    """Zombies count as ended: nobody may have collected them yet."""
    if not Path("/proc/self/stat").exists():
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
