"""What a run is asked for, its port, and how it says what it does."""

import io
import os
import socket
from pathlib import Path

import pytest

from infra.local.config import Options
from infra.local.errors import CannotRun
from infra.local.ports import free_port, take_port
from infra.local.ui.progress import Progress


class TestOptions:
    def test_everything_has_a_default(self) -> None:
        assert Options.from_environment({"PORT": "", "ONCE": ""}) == Options()

    def test_of_another_close_the_server_is_enough(self) -> None:
        options = Options.from_environment({"CLOSE_API_URL": "http://127.0.0.1:8080"})
        assert options.close_api_url == "http://127.0.0.1:8080/api/v1/"

    def test_everything_can_be_set(self) -> None:
        options = Options.from_environment(
            {
                "PORT": "4600",
                "CLOSE_API_URL": "http://127.0.0.1:8080/api/v1/",
                "EXAMPLES": "0",
                "ONCE": "1",
                "LIST_LAG_SECONDS": "0.5",
                "CLOSE_TIMEOUT_SECONDS": "3",
            }
        )
        assert options == Options(4600, "http://127.0.0.1:8080/api/v1/", False, True, 0.5, 3)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"PORT": "many"},
            {"PORT": "4.5"},
            {"PORT": "70000"},
            {"ONCE": "perhaps"},
            {"LIST_LAG_SECONDS": "-1"},
            {"CLOSE_API_URL": "127.0.0.1:8080"},
            {"CLOSE_API_URL": "http://127.0.0.1:8080/v2/"},
            {"CLOSE_API_URL": "http://close.example/api/v1/"},
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, wrong: dict[str, str]) -> None:
        with pytest.raises(CannotRun, match=next(iter(wrong))):
            Options.from_environment(wrong)


class TestPorts:
    def test_a_free_port_is_taken_as_asked(self) -> None:
        port = free_port()
        assert take_port(port) == port
        assert take_port(0) > 0

    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells who holds a port")
    def test_of_a_busy_port_it_is_said_who_holds_it(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(CannotRun) as rejection:
            take_port(server.getsockname()[1])
        assert f"taken by process {os.getpid()} (" in str(rejection.value)
        assert f"kill {os.getpid()}" in str(rejection.value)
        assert "make run PORT=" in str(rejection.value)


class TestProgress:
    def test_a_step_is_one_line(self) -> None:
        stream = io.StringIO()
        with Progress(stream).step("building"):
            pass
        assert stream.getvalue().startswith("  building … ")
        assert stream.getvalue().endswith(" s\n")
        assert len(stream.getvalue().splitlines()) == 1

    @pytest.mark.parametrize(("error", "word"), [(CannotRun, "failed"), (KeyboardInterrupt, "stopped")])
    def test_a_step_that_does_not_end_well_says_so(self, error: type[BaseException], word: str) -> None:
        stream = io.StringIO()
        with pytest.raises(error), Progress(stream).step("building"):
            raise error
        assert f"building … {word} after" in stream.getvalue()
