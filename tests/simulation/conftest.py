"""The seed of the sampled matrix, printed at the end: with it, a run can be repeated exactly."""

import os

import pytest

SEED = os.environ.get("FAULTS_SEED", "once")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"matrix cases chosen by the seed {SEED!r} (FAULTS_SEED=... chooses others)")
