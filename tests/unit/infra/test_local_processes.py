"""Every process that a run starts ends with it, or at the latest with the next run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from infra.local import clean, state_dir
from infra.local.config import PROJECT
from infra.local.emulator import without_aws
from infra.local.errors import StartupError
from infra.local.processes import Process
from infra.local.state_dir import StateDir

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
SAY = [sys.executable, "-c", "print('port taken')"]


class TestProcesses:
    def test_child_processes_end_with_their_parent(self, tmp_path: Path) -> None:
        parent = f"import subprocess, time; print(subprocess.Popen({SLEEP!r}).pid, flush=True); time.sleep(60)"
        process = Process.start("a parent", [sys.executable, "-c", parent], tmp_path / "log", os.environ)
        process.wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"), 10)
        child = int((tmp_path / "log").read_text())
        assert is_running(child)
        process.stop()
        assert not is_running(child)
        assert not is_running(process.pid)
        process.stop()  # a second call does nothing

    def test_a_process_that_ignores_sigterm_is_killed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("infra.local.processes.GRACE_SECONDS", 0.2)
        stubborn = (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
        )
        process = Process.start("a stubborn process", [sys.executable, "-c", stubborn], tmp_path / "log", os.environ)
        process.wait_until(lambda: (tmp_path / "log").read_text() == "\n", 10)
        process.stop()
        assert process.child.returncode == -signal.SIGKILL

    def test_the_error_of_a_failed_tool_shows_its_last_output(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "print('no such bucket'); raise SystemExit(3)"]
        process = Process.start("the tool", command, tmp_path / "log", os.environ)
        with pytest.raises(StartupError, match=r"the tool failed \(exit code 3\)(.|\n)*no such bucket(.|\n)*log"):
            process.finish(20)

    def test_a_tool_that_takes_too_long_is_stopped(self, tmp_path: Path) -> None:
        process = Process.start("the tool", SLEEP, tmp_path / "log", os.environ)
        with pytest.raises(StartupError, match="did not end within"):
            process.finish(0.1)
        assert not is_running(process.pid)

    def test_a_server_that_ends_is_not_waited_for(self, tmp_path: Path) -> None:
        process = Process.start(
            "the server", [sys.executable, "-c", "print('port taken')"], tmp_path / "log", os.environ
        )
        with pytest.raises(StartupError, match=r"the server has ended(.|\n)*port taken"):
            process.wait_until(lambda: False, 20)

    def test_tools_inherit_no_variables_of_aws(self) -> None:
        assert without_aws({"AWS_PROFILE": "production", "PYTHONPATH": "x", "PATH": "p"}) == {"PATH": "p"}


class TestStateDir:
    def test_one_run_at_a_time_owns_the_folder(self, tmp_path: Path) -> None:
        first, second = StateDir(tmp_path), StateDir(tmp_path)
        assert first.claim() == []
        with pytest.raises(StartupError, match=rf"already running \(process {os.getpid()}\)"):
            second.claim()
        first.release()
        assert second.claim() == []
        second.release()

    def test_processes_and_files_of_a_killed_run_are_removed(self, tmp_path: Path, orphan: Process) -> None:
        orphaned = StateDir(tmp_path)
        orphaned.claim()
        orphaned.record(orphan)
        orphaned.description.write_text("{}")
        (orphaned.temporary / "ministack-lambda-x").mkdir()
        lose_lock(orphaned)
        following = StateDir(tmp_path)
        assert following.claim() == ["an orphan"]
        assert not is_running(orphan.pid)
        assert not following.description.exists()
        assert list(following.temporary.iterdir()) == []
        following.release()
        assert not following.temporary.exists()

    @pytest.mark.parametrize("free", [state_dir.MEMORY_NEEDED + 1, state_dir.MEMORY_NEEDED])
    def test_functions_unpack_in_memory_where_there_is_plenty(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
    ) -> None:
        memory = tmp_path / "memory"
        memory.mkdir()
        monkeypatch.setattr(state_dir, "MEMORY", memory)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
        folder = StateDir(tmp_path / "state")
        folder.claim()
        (folder.temporary / "function").write_text("")
        assert len([*memory.rglob("function")]) == (free > state_dir.MEMORY_NEEDED)
        folder.release()
        assert not folder.temporary.exists()
        assert not [*memory.iterdir()]

    def test_functions_of_a_killed_run_do_not_stay_in_memory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        memory = tmp_path / "memory"
        memory.mkdir()
        monkeypatch.setattr(state_dir, "MEMORY", memory)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=state_dir.MEMORY_NEEDED + 1))
        killed, going_on = StateDir(tmp_path / "deleted"), StateDir(tmp_path / "state")
        for each in (killed, going_on):
            each.claim()
        lose_lock(killed)
        shutil.rmtree(killed.path)
        following = StateDir(tmp_path / "another")
        following.claim()
        assert len([*memory.iterdir()]) == 2
        assert going_on.temporary.exists()
        assert following.temporary.exists()
        for each in (going_on, following):
            each.release()
        assert not [*memory.iterdir()]

    def test_a_later_process_with_a_recorded_id_keeps_running(self, tmp_path: Path, orphan: Process) -> None:
        orphaned = StateDir(tmp_path)
        orphaned.claim()
        orphaned.record(orphan)
        recorded = tmp_path / "processes.json"
        [process] = json.loads(recorded.read_text())
        recorded.write_text(json.dumps([process | {"started": process["started"] - 60}]))
        lose_lock(orphaned)
        following = StateDir(tmp_path)
        assert following.claim() == []
        assert is_running(orphan.pid)
        following.release()


class TestClean:
    def test_clean_removes_nothing_while_a_stack_is_up(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        idle, up = StateDir(tmp_path), StateDir(tmp_path / "e2e")
        idle.claim()
        idle.release()
        up.claim()
        up.description.write_text("{}")
        assert clean.main(tmp_path) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"Nothing was removed: a local stack is up (process {os.getpid()})")
        assert said.count("\n") == 1
        assert up.description.exists(), "the stack is unaffected"
        up.release()
        assert clean.main(tmp_path) == 0

    def test_clean_stops_processes_of_a_killed_run(self, tmp_path: Path, orphan: Process) -> None:
        orphaned = StateDir(tmp_path)
        orphaned.claim()
        orphaned.record(orphan)
        lose_lock(orphaned)
        assert clean.main(tmp_path) == 0
        assert not is_running(orphan.pid)

    def test_make_clean_fails_while_a_stack_is_up(self, project: Path) -> None:
        up = StateDir(project / ".local")
        up.claim()
        (project / ".venv").symlink_to(Path(sys.prefix))
        failed = make_clean(project)
        assert failed.returncode != 0
        assert f"(process {os.getpid()})" in failed.stderr
        assert up.temporary.exists()
        up.release()
        assert make_clean(project).returncode == 0
        assert not up.path.exists()

    def test_make_clean_works_without_installed_tools(self, project: Path) -> None:
        (project / ".local" / "build").mkdir(parents=True)
        cleaned = make_clean(project)
        assert cleaned.returncode == 0, cleaned.stderr
        assert not (project / ".local").exists()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with the files that ``make clean`` needs, and nothing installed."""
    for name in ("cli", "functions", "tests"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copytree(PROJECT / "infra/local", tmp_path / "infra/local")
    (tmp_path / "Makefile").write_text((PROJECT / "Makefile").read_text())
    return tmp_path


def make_clean(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/usr/bin/env", "make", "clean"], cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Process]:
    process = Process.start("an orphan", SLEEP, tmp_path / "orphan.log", os.environ)
    yield process
    process.stop()


def lose_lock(folder: StateDir) -> None:
    """Release the lock, as the end of a killed process does."""
    assert folder._lock
    folder._lock.close()


def is_running(pid: int) -> bool:
    """Return whether the process runs. A zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
