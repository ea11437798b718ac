"""What goes over the wire to Close, byte for byte, and what is made of all that may come back."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from provisioner import __version__
from provisioner.assembly import _http
from provisioner.close import MAX_PAGES, SETTLE_SECONDS, Organization
from provisioner.contract import Credential
from provisioner.errors import Busy, Kind, MaybeCreated, NotCreated, Refused
from tests.fakes import Clock, a_request
from tests.integration.service.wire import Wire, answer, dripping, hang_up, say_nothing, then_stall

SPEC = a_request(spec={"description": "Wer zahlt: Größe"}).custom_object_type
TYPE = {"id": "cotype_1", "name": "Account", "name_plural": "Accounts", "organization_id": "orga_acme"}
LIST = answer({"data": [TYPE]})
NO_TYPES = answer({"data": []})
CREATED = answer(TYPE, "201 Created", "Location: /api/v1/custom_object_type/cotype_1/")
UNAUTHORIZED = answer({"error": "Unauthorized"}, "401 Unauthorized")


def key(text: str, organization_id: str | None = None) -> Credential:
    return Credential(f"Basic {base64.b64encode(f'{text}:'.encode()).decode()}", text, organization_id)


@dataclass
class Tenant:
    """A tenant's side of things: its keys, the newest last, and how long it was asked to be left alone."""

    http: httpx.Client
    base_url: str
    keys: list[Credential] = field(default_factory=lambda: [key("api_acme.secret")])
    left_alone_until: float = 0
    clock: Clock = field(default_factory=Clock)
    time_left: float = 60

    def credential(self, rejected: Credential | None) -> Credential:
        return self.keys[0] if rejected is None else self.keys[-1]

    def pause(self, until: float) -> None:
        self.left_alone_until = until

    def organization(self, timeout: float = 20) -> Organization:
        return Organization(
            http=self.http,
            base_url=self.base_url,
            credentials=self.credential,
            timeout=timeout,
            time_left=lambda: self.time_left,
            clock=self.clock,
            paused_until=lambda: self.left_alone_until,
            pause=self.pause,
        )


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as wire:
        yield wire


@pytest.fixture
def http(wire: Wire) -> Iterator[httpx.Client]:
    with _http(wire.url) as http:
        yield http


@pytest.fixture
def tenant(wire: Wire, http: httpx.Client) -> Tenant:
    return Tenant(http, wire.url)


class TestWhatIsSent:
    def test_a_list(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [LIST]
        tenant.organization().types()

        [heard] = wire.heard
        assert (heard.method, heard.target, heard.body) == ("GET", "/api/v1/custom_object_type/", b"")
        assert heard.headers["authorization"] == "Basic YXBpX2FjbWUuc2VjcmV0Og=="
        assert heard.headers["user-agent"] == f"close-provisioner/{__version__}"
        assert heard.headers["accept"] == "application/json"
        assert not {"content-type", "content-length", "transfer-encoding", "cookie"} & heard.headers.keys()

    def test_a_create(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [CREATED]
        created = tenant.organization().create(SPEC)

        [heard] = wire.heard
        assert (heard.method, heard.target) == ("POST", "/api/v1/custom_object_type/")
        assert json.loads(heard.body) == {
            "name": "Account", "name_plural": "Accounts", "description": "Wer zahlt: Größe"
        }  # fmt: skip
        assert heard.headers["content-length"] == str(len(heard.body))
        assert heard.headers["content-type"] == "application/json"
        assert "transfer-encoding" not in heard.headers
        assert created.id == "cotype_1"

    def test_a_look_up(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [
            answer(TYPE),
            answer({"error": "no"}, "404 Not Found"),
            answer({"error": "no"}, "403 Forbidden"),
        ]
        organization = tenant.organization()

        found = organization.type("cotype_1")
        assert found
        assert found.name == "Account"
        assert organization.type("cotype_2") is None
        with pytest.raises(Refused):
            organization.type("cotype_3")
        assert wire.lines()[0] == "GET /api/v1/custom_object_type/cotype_1/"

    def test_once_a_look_up_that_cannot_be_read_proves_no_absence(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [answer({"name": "Account"})]

        with pytest.raises(NotCreated):
            tenant.organization().type("cotype_1")

    def test_a_token(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [LIST]
        tenant.keys = [Credential("Bearer token", "token")]
        tenant.organization().types()

        assert wire.heard[0].headers["authorization"] == "Bearer token"

    def test_connections_are_kept(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [NO_TYPES, CREATED]
        organization = tenant.organization()
        organization.types()
        organization.create(SPEC)

        assert [each.connection for each in wire.heard] == [1, 1]

    def test_apart_no_cookie_is_carried_from_one_tenant_to_another(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [answer({"data": []}, "200 OK", "Set-Cookie: session=acme; Path=/"), LIST]
        tenant.organization().types()
        tenant.keys = [key("api_globex.secret")]
        tenant.organization().types()

        assert [each.headers.get("cookie") for each in wire.heard] == [None, None]


class TestTheList:
    def test_read_once(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [LIST, NO_TYPES]
        organization = tenant.organization()

        assert organization.types(0) == organization.types(tenant.clock())
        tenant.clock.advance(1)
        assert organization.types(tenant.clock()) == []
        assert len(wire.heard) == 2

    def test_it_holds_what_was_created_since(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [NO_TYPES, CREATED]
        organization = tenant.organization()
        organization.types()
        created = organization.create(SPEC)

        assert organization.types() == [created]

    @pytest.mark.parametrize(
        "envelope", [{}, {"has_more": False}, {"cursor": None}, {"has_more": False, "cursor": None, "total_results": 1}]
    )
    def test_every_envelope(self, wire: Wire, tenant: Tenant, envelope: dict[str, Any]) -> None:
        wire.replies = [answer({"data": [TYPE], **envelope})]

        assert [each.id for each in tenant.organization().types()] == ["cotype_1"]

    def test_should_it_begin_to_page_no_page_is_missed(self, wire: Wire, tenant: Tenant) -> None:
        other = {**TYPE, "id": "cotype_2"}
        wire.replies = [answer({"data": [TYPE], "has_more": True}), answer({"data": [other], "has_more": False})]

        assert [each.id for each in tenant.organization().types()] == ["cotype_1", "cotype_2"]
        assert wire.lines()[1] == "GET /api/v1/custom_object_type/?_skip=1"

    @pytest.mark.parametrize(
        "page",
        [
            {"data": [TYPE], "cursor": "abc"},
            {"data": {"0": TYPE}},
            {"data": None},
            {"error": "?"},
            [TYPE],
            None,
            {"data": [TYPE, {"name": "Deal"}]},
            {"data": [TYPE, {"id": "cotype_2", "name": None}]},
            {"data": [TYPE, None]},
        ],
    )
    def test_once_what_cannot_be_read_to_its_end_proves_no_absence(self, wire: Wire, tenant: Tenant, page: Any) -> None:
        wire.replies = [answer(page)]

        with pytest.raises(NotCreated):
            tenant.organization().types()

    def test_a_list_that_pages_in_circles_comes_to_an_end(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [answer({"data": [TYPE], "has_more": True})] * 60

        with pytest.raises(NotCreated, match="no end"):
            tenant.organization().types()
        assert len(wire.heard) == 2

    def test_a_list_that_never_ends_comes_to_an_end(self, wire: Wire, tenant: Tenant) -> None:
        pages = [{"data": [{**TYPE, "id": f"cotype_{number}"}], "has_more": True} for number in range(60)]
        wire.replies = [answer(page) for page in pages]

        with pytest.raises(NotCreated, match="no end"):
            tenant.organization().types()
        assert len(wire.heard) == MAX_PAGES


class TestSilence:
    def test_a_kept_connection_that_died_is_noticed_on_a_read(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [NO_TYPES, hang_up, LIST]
        organization = tenant.organization()
        organization.types()
        tenant.clock.advance(1)

        assert [each.id for each in organization.types(tenant.clock())] == ["cotype_1"]

    def test_a_read_is_repeated_once(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [hang_up, hang_up, LIST]

        with pytest.raises(NotCreated):
            tenant.organization().types()
        assert len(wire.heard) == 2

    def test_once_a_create_is_sent_once(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [NO_TYPES, hang_up, CREATED]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(MaybeCreated):
            organization.create(SPEC)
        assert [each.method for each in wire.heard] == ["GET", "POST"]

    def test_nobody_listens(self, wire: Wire, tenant: Tenant) -> None:
        wire.__exit__()

        with pytest.raises(NotCreated, match="ConnectError"):
            tenant.organization().create(SPEC)

    def test_a_handshake_that_fails_sends_nothing(self) -> None:
        def speak_no_tls() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as listener, _http("https://127.0.0.1/") as http:
            thread = threading.Thread(target=speak_no_tls)
            thread.start()
            secure = Tenant(http, f"https://127.0.0.1:{listener.getsockname()[1]}/api/v1/")
            with pytest.raises(NotCreated, match="ConnectError"):
                secure.organization().create(SPEC)
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
    def test_once_a_success_that_names_no_type_leaves_it_open(self, wire: Wire, tenant: Tenant, reply: bytes) -> None:
        wire.replies = [lambda connection, _: connection.sendall(reply)]

        with pytest.raises(MaybeCreated):
            tenant.organization().create(SPEC)

    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
    def test_redirects_are_not_followed(self, wire: Wire, tenant: Tenant, status: str) -> None:
        redirect = answer(None, status, f"Location: {wire.url}elsewhere/")
        wire.replies = [redirect, redirect]
        organization = tenant.organization()

        with pytest.raises(Refused) as caught:
            organization.types()
        assert caught.value.kind is Kind.CLOSE_MISCONFIGURED
        with pytest.raises(MaybeCreated):
            organization.create(SPEC)
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
    def test_every_slow_answer_is_cut_off(self, wire: Wire, tenant: Tenant, reply: Any) -> None:
        wire.replies = [reply]
        begun = time.monotonic()

        with pytest.raises(MaybeCreated, match="ReadTimeout"):
            tenant.organization(timeout=0.2).create(SPEC)
        assert time.monotonic() - begun < 2

    def test_late_headers_leave_less_time_for_the_body(self, wire: Wire, tenant: Tenant) -> None:
        def late(connection: Any, stopping: Any) -> None:
            stopping.wait(0.6)
            connection.sendall(self.HEAD)
            stopping.wait(10)

        wire.replies = [late]
        begun = time.monotonic()

        with pytest.raises(MaybeCreated, match="ReadTimeout"):
            tenant.organization(timeout=0.7).create(SPEC)
        assert time.monotonic() - begun < 1.2

    def test_no_create_begins_without_time_to_hear_its_answer(self, wire: Wire, tenant: Tenant) -> None:
        tenant.time_left = SETTLE_SECONDS + 19.9

        with pytest.raises(Busy, match="too little time"):
            tenant.organization(timeout=20).create(SPEC)
        assert wire.heard == []

    def test_a_read_makes_do_with_the_time_that_is_left(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [say_nothing]
        tenant.time_left = SETTLE_SECONDS + 1
        begun = time.monotonic()

        with pytest.raises(NotCreated, match="ReadTimeout"):
            tenant.organization(timeout=20).types()
        assert time.monotonic() - begun < 5

    def test_no_read_begins_without_any(self, wire: Wire, tenant: Tenant) -> None:
        tenant.time_left = SETTLE_SECONDS + 0.5

        with pytest.raises(Busy, match="too little time"):
            tenant.organization().types()
        assert wire.heard == []

    def test_an_answer_without_end_is_cut_off(
        self, wire: Wire, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("provisioner.close.MAX_ANSWER_BYTES", 100_000)
        wire.replies = [dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b" " * 50_000, every=0)]

        with pytest.raises(NotCreated, match="ReadTimeout"):
            tenant.organization().types()


class TestPolite:
    LIMITED = answer(None, "429 Too Many Requests", "RateLimit: limit=100, remaining=0, reset=17.5", "Retry-After: 18")

    def test_a_429_is_obeyed_by_everybody_on_this_tenant(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [self.LIMITED]
        organization = tenant.organization()

        with pytest.raises(Busy) as caught:
            organization.create(SPEC)
        assert caught.value.seconds == 17.5
        assert tenant.left_alone_until == tenant.clock() + 17.5
        for each in (organization, tenant.organization()):
            with pytest.raises(Busy):
                each.open()
        assert len(wire.heard) == 1

    def test_and_no_longer_than_asked_for(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [self.LIMITED, LIST]
        organization = tenant.organization()
        with pytest.raises(Busy):
            organization.types()
        tenant.clock.advance(17.5)

        organization.open()
        assert len(organization.types()) == 1

    def test_an_outage_spares_the_rest_of_the_batch(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [answer(None, "503 Service Unavailable")]
        organization = tenant.organization()

        with pytest.raises(NotCreated):
            organization.types()
        with pytest.raises(Busy, match="503"):
            organization.types()
        assert len(wire.heard) == 1
        assert tenant.left_alone_until == 0


class TestCredentials:
    OLD, NEW = key("api_old.secret"), key("api_new.secret")

    def test_a_401_on_a_list_is_answered_with_a_new_key(self, wire: Wire, tenant: Tenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [UNAUTHORIZED, LIST]

        assert len(tenant.organization().types()) == 1
        assert [each.headers["authorization"] for each in wire.heard] == [
            self.OLD.authorization, self.NEW.authorization
        ]  # fmt: skip

    def test_final_a_401_with_the_newest_key_is_the_end(self, wire: Wire, tenant: Tenant) -> None:
        wire.replies = [UNAUTHORIZED]

        with pytest.raises(Refused) as caught:
            tenant.organization().types()
        assert (caught.value.kind, len(wire.heard)) == (Kind.CREDENTIAL_REJECTED, 1)

    def test_final_a_second_401_is_the_end(self, wire: Wire, tenant: Tenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [UNAUTHORIZED, UNAUTHORIZED]

        with pytest.raises(Refused) as caught:
            tenant.organization().types()
        assert (caught.value.kind, len(wire.heard)) == (Kind.CREDENTIAL_REJECTED, 2)

    def test_once_a_401_on_a_create_begins_again_with_a_look(self, wire: Wire, tenant: Tenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [NO_TYPES, UNAUTHORIZED, LIST]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(Busy, match="renewed"):
            organization.create(SPEC)
        assert len(organization.types()) == 1
        assert wire.heard[-1].headers["authorization"] == self.NEW.authorization

    def test_once_a_401_on_a_look_up_begins_again_with_a_look(self, wire: Wire, tenant: Tenant) -> None:
        tenant.keys = [self.OLD, self.NEW]
        wire.replies = [NO_TYPES, UNAUTHORIZED]
        organization = tenant.organization()
        organization.types()

        with pytest.raises(Busy, match="renewed"):
            organization.type("cotype_1")

    def test_silent_neither_key_is_in_what_is_told(self, wire: Wire, tenant: Tenant) -> None:
        tenant.keys = [Credential("Bearer old-token", "old-token"), Credential("Bearer new-token", "new-token")]
        wire.replies = [UNAUTHORIZED, answer({"error": "no new-token here"}, "403 Forbidden")]

        with pytest.raises(Refused) as caught:
            tenant.organization().types()
        assert "new-token" not in str(caught.value)
        assert "no … here" in str(caught.value)


class TestPinned:
    ME = "GET /api/v1/me/?_fields=organizations"

    @pytest.fixture
    def pinned(self, tenant: Tenant) -> Tenant:
        tenant.keys = [key("api_acme.secret", "orga_acme")]
        return tenant

    def test_the_list_shows_the_right_organisation(self, wire: Wire, pinned: Tenant) -> None:
        wire.replies = [LIST]

        assert len(pinned.organization().types()) == 1
        assert len(wire.heard) == 1

    @pytest.mark.parametrize("listed", [[], [{"id": "cotype_1", "name": "Account"}]])
    def test_where_the_list_says_nothing_close_is_asked(self, wire: Wire, pinned: Tenant, listed: list[Any]) -> None:
        wire.replies = [answer({"data": listed}), answer({"organizations": [{"id": "orga_acme"}]}), CREATED]
        organization = pinned.organization()
        organization.types()
        organization.create(SPEC)

        assert wire.lines()[1] == self.ME

    def test_once_it_was_checked_it_is_not_checked_again(self, wire: Wire, pinned: Tenant) -> None:
        wire.replies = [NO_TYPES, answer({"organizations": [{"id": "orga_acme"}]}), NO_TYPES]
        organization = pinned.organization()
        organization.types()
        pinned.clock.advance(1)
        organization.types(pinned.clock())

        assert wire.lines().count(self.ME) == 1

    @pytest.mark.parametrize(
        "replies",
        [
            [answer({"data": [{**TYPE, "organization_id": "orga_other"}]})],
            [answer({"data": [TYPE, {**TYPE, "id": "cotype_2", "organization_id": "orga_other"}]})],
            [NO_TYPES, answer({"organizations": [{"id": "orga_other"}]})],
            [NO_TYPES, answer({"organizations": [{"id": "orga_acme"}, {"id": "orga_other"}]})],
            [NO_TYPES, answer({"organizations": []})],
            [NO_TYPES, answer({})],
            [NO_TYPES, answer(["?"])],
        ],
    )
    def test_apart_another_organisation_stops_the_request(
        self, wire: Wire, pinned: Tenant, replies: list[bytes]
    ) -> None:
        wire.replies = list(replies)

        with pytest.raises(Refused) as caught:
            pinned.organization().types()
        assert caught.value.kind is Kind.WRONG_ORGANIZATION
        assert "POST" not in [each.method for each in wire.heard]

    def test_apart_a_create_that_ended_up_elsewhere_is_told(self, wire: Wire, pinned: Tenant) -> None:
        wire.replies = [LIST, answer({**TYPE, "organization_id": "orga_other"}, "201 Created")]
        organization = pinned.organization()
        organization.types()

        with pytest.raises(Refused, match="cotype_1 was created in orga_other") as caught:
            organization.create(SPEC)
        assert caught.value.kind is Kind.WRONG_ORGANIZATION

    def test_apart_a_renewed_credential_is_checked_anew(self, wire: Wire, pinned: Tenant) -> None:
        pinned.keys.append(key("api_new.secret", "orga_acme"))
        stolen = answer({"data": [{**TYPE, "organization_id": "orga_other"}]})
        wire.replies = [LIST, UNAUTHORIZED, stolen]
        organization = pinned.organization()
        organization.types()
        pinned.clock.advance(1)

        with pytest.raises(Refused) as caught:
            organization.types(pinned.clock())
        assert caught.value.kind is Kind.WRONG_ORGANIZATION
