"""Before anything imports the service. And sockets may be left to the collector here: their other ends are killed."""

import pytest

import tests.simulation.paths  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "ignore:unclosed:ResourceWarning")
