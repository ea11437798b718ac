"""The options of a run, its port, and its progress."""

import io
import os
import socket

import pytest

from infra.local import config as local_config
from infra.local.config import Options
from infra.local.errors import StartupError
from infra.local.ports import free_port, take_port
from infra.local.ui.progress import Progress
from provisioner import settings


class TestOptions:
    def test_every_option_has_a_default(self) -> None:
        assert Options.from_environment({"PORT": "", "ONCE": ""}) == Options()

    def test_a_close_api_url_may_be_the_bare_server(self) -> None:
        options = Options.from_environment({"CLOSE_API_URL": "http://127.0.0.1:8080"})
        assert options.close_api_url == "http://127.0.0.1:8080/api/v1/"

    def test_every_option_can_be_set(self) -> None:
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
        assert options == Options(
            port=4600,
            close_api_url="http://127.0.0.1:8080/api/v1/",
            examples=False,
            once=True,
            list_lag_seconds=0.5,
            close_timeout_seconds=3,
        )

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
    def test_an_invalid_variable_is_named_with_the_values_it_may_have(self, wrong: dict[str, str]) -> None:
        [(name, value)] = wrong.items()
        with pytest.raises(StartupError) as error:
            Options.from_environment(wrong)
        assert str(error.value) == f"{name} is {value!r}: it must be {Options.variables()[name]}."

    def test_hole_10_the_list_lag_of_a_close_elsewhere_cannot_be_short(self) -> None:
        elsewhere = {"CLOSE_API_URL": "https://api.close.com/api/v1/", "LIST_LAG_SECONDS": "2"}
        with pytest.raises(StartupError, match=r"LIST_LAG_SECONDS is '2': .* 20 or more for a Close"):
            Options.from_environment(elsewhere)
        assert Options.from_environment(elsewhere | {"LIST_LAG_SECONDS": "20"}).list_lag_seconds == 20
        assert local_config.MIN_LIST_LAG_SECONDS == settings.MIN_LIST_LAG_SECONDS

    def test_every_invalid_variable_is_named(self) -> None:
        with pytest.raises(StartupError, match=r"^PORT is 'many': .*\nONCE is 'perhaps': .*"):
            Options.from_environment({"PORT": "many", "ONCE": "perhaps"})


class TestPorts:
    def test_a_free_port_is_returned_unchanged(self) -> None:
        port = free_port()
        assert take_port(port) == port
        assert take_port(0) > 0

    def test_a_taken_port_is_reported_with_its_process(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(StartupError) as error:
            take_port(server.getsockname()[1])
        assert f"taken by process {os.getpid()} (" in str(error.value)
        assert f"kill {os.getpid()}" in str(error.value)
        assert "make run PORT=" in str(error.value)


class TestProgress:
    def test_a_step_is_one_line(self) -> None:
        stream = io.StringIO()
        with Progress(stream).step("building"):
            pass
        assert stream.getvalue().startswith("  building … ")
        assert stream.getvalue().endswith(" s\n")
        assert len(stream.getvalue().splitlines()) == 1

    @pytest.mark.parametrize(("error", "word"), [(StartupError, "failed"), (KeyboardInterrupt, "stopped")])
    def test_a_failed_step_says_so(self, error: type[BaseException], word: str) -> None:
        stream = io.StringIO()
        with pytest.raises(error), Progress(stream).step("building"):
            raise error
        assert f"building … {word} after" in stream.getvalue()
