"""Close that does not answer, or too late, or with what cannot be read."""

import socket
import threading
import time
from typing import Any

import pytest

from provisioner.close.transport import MIN_WRITE_SECONDS, SETTLE_SECONDS
from provisioner.contract.errors import OutcomeUnknown, ProblemType, Rejected, RetryLater, Unavailable
from provisioner.service import _http
from tests.integration.service.close_caller import (
    CREATED,
    LIST,
    NO_TYPES,
    SPEC,
    CloseTenant,
)
from tests.integration.service.wire import Wire, answer, dripping, hang_up, say_nothing, then_stall


class TestLostResponses:
    def test_a_kept_connection_that_died_is_noticed_on_a_read(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [NO_TYPES, hang_up, LIST]
        organization = tenant.organization()
        organization.types()
        tenant.clock.advance(1)

        assert [each.id for each in organization.types(tenant.clock())] == ["cotype_1"]

    def test_a_read_is_repeated_once(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [hang_up, hang_up, LIST]

        with pytest.raises(Unavailable):
            tenant.organization().types()
        assert len(wire.heard) == 2

    def test_once_a_create_is_sent_once(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [NO_TYPES, hang_up, CREATED]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(OutcomeUnknown):
            organization.create_type(SPEC)
        assert [each.method for each in wire.heard] == ["GET", "POST"]

    def test_a_refused_connection_sends_nothing(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.__exit__()

        with pytest.raises(Unavailable, match="ConnectError"):
            tenant.organization().create_type(SPEC)

    def test_a_handshake_that_fails_sends_nothing(self) -> None:
        def speak_no_tls() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener, _http("https://127.0.0.1/") as http:
            thread = threading.Thread(target=speak_no_tls)
            thread.start()
            secure = CloseTenant(http, f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1/")
            with pytest.raises(Unavailable, match="ConnectError"):
                secure.organization().create_type(SPEC)
            thread.join()

    @pytest.mark.parametrize(
        "reply",
        [
            b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{",
            b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"id\": 1}",
            b"nonsense\r\n\r\n",
            answer({"name": "Account"}, "201 Created"),
            answer({}, "200 OK"),
            answer(None, "204 No Content"),
            answer(None, "201 Created", "Content-Encoding: gzip"),
            b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        ],
    )  # fmt: skip
    def test_once_a_success_without_a_type_leaves_the_create_in_doubt(
        self, wire: Wire, tenant: CloseTenant, reply: bytes
    ) -> None:
        wire.replies = [lambda connection, _: connection.sendall(reply)]

        with pytest.raises(OutcomeUnknown):
            tenant.organization().create_type(SPEC)

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    def test_redirects_are_not_followed(self, wire: Wire, tenant: CloseTenant, status: str) -> None:
        redirect = answer(None, status, f"Location: {wire.url}elsewhere/")
        wire.replies = [redirect, redirect]
        organization = tenant.organization()

        with pytest.raises(Rejected) as caught:
            organization.types()
        assert caught.value.kind is ProblemType.CLOSE_MISCONFIGURED
        with pytest.raises(OutcomeUnknown):
            organization.create_type(SPEC)
        assert {each.target for each in wire.heard} == {"/api/v1/custom_object_type/"}


class TestDeadlines:
    """No call takes longer than its time, however the answer comes."""

    HEAD = b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n"

    @pytest.mark.parametrize(
        "reply",
        [
            say_nothing,
            then_stall(b"HTTP/1.1 201 Cre"),
            then_stall(HEAD),
            then_stall(HEAD + b"{"),
            dripping(HEAD, b" ", every=0.02),
            dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", every=0.02),
        ],
        ids=["nothing", "half a line", "headers only", "a byte", "dripping", "dripping in chunks"],
    )
    def test_every_slow_response_is_cut_off(self, wire: Wire, tenant: CloseTenant, reply: Any) -> None:
        wire.replies = [reply]
        begun = time.monotonic()

        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            tenant.organization(timeout=0.2).create_type(SPEC)
        assert time.monotonic() - begun < 2

    def test_late_headers_leave_less_time_for_the_body(self, wire: Wire, tenant: CloseTenant) -> None:
        def late(connection: Any, stopping: Any) -> None:
            stopping.wait(0.6)
            connection.sendall(self.HEAD)
            stopping.wait(10)

        wire.replies = [late]
        begun = time.monotonic()

        with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
            tenant.organization(timeout=0.7).create_type(SPEC)
        assert time.monotonic() - begun < 1.2

    @pytest.mark.parametrize(("timeout", "least"), [(20, MIN_WRITE_SECONDS), (3, 3)])
    def test_no_write_starts_without_time_for_its_response(
        self, wire: Wire, tenant: CloseTenant, timeout: float, least: float
    ) -> None:
        wire.replies = [CREATED]
        organization = tenant.organization(timeout)
        tenant.time_left = SETTLE_SECONDS + least - 0.1

        with pytest.raises(RetryLater, match="too little time"):
            organization.create_type(SPEC)
        assert wire.heard == []
        tenant.time_left = SETTLE_SECONDS + least
        assert organization.create_type(SPEC).id == "cotype_1"

    def test_a_read_ends_with_the_remaining_time(self, wire: Wire, tenant: CloseTenant) -> None:
        wire.replies = [say_nothing]
        tenant.time_left = SETTLE_SECONDS + 1
        begun = time.monotonic()

        with pytest.raises(Unavailable, match="ReadTimeout"):
            tenant.organization(timeout=20).types()
        assert time.monotonic() - begun < 5

    def test_no_read_starts_without_time(self, wire: Wire, tenant: CloseTenant) -> None:
        tenant.time_left = SETTLE_SECONDS + 0.5

        with pytest.raises(RetryLater, match="too little time"):
            tenant.organization().types()
        assert wire.heard == []

    def test_an_endless_body_is_cut_off(self, wire: Wire, tenant: CloseTenant, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("provisioner.close.transport.MAX_RESPONSE_BYTES", 100_000)
        wire.replies = [dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b" " * 50_000, every=0)]

        with pytest.raises(Unavailable, match="ResponseTooLarge"):
            tenant.organization().types()
