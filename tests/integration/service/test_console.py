"""The console on the real parts of the service, where a browser adds nothing."""

from collections.abc import Iterator
from unittest import mock

import boto3
import httpx
import pytest
from starlette.testclient import TestClient

from close_provisioner.client.service import Service
from close_provisioner.console.app import make_app
from close_provisioner.stack.which import Stack as FoundStack
from provisioner.handlers.operator import Operator
from tests.fakes import a_request
from tests.integration.service.gateway import API_URL, proxy_event
from tests.integration.service.locked_moto import client
from tests.integration.service.stack import Stack

ORIGIN, TOKEN = "http://127.0.0.1:8321", "a-token-of-this-test"


@pytest.fixture
def browser(stack: Stack) -> Iterator[TestClient]:
    operator = Operator.of(stack.service, client)

    def respond(request: httpx.Request) -> httpx.Response:
        answer = operator.answer(proxy_event(request), lambda: 28)
        return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])

    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
    found = FoundStack("local stack", API_URL, "eu-central-1", "tenants", "sources", session, endpoint_url=API_URL)
    service = Service.of(found, httpx.MockTransport(respond))
    app = make_app(service, origin=ORIGIN, token=TOKEN, allow_changes=True)
    with TestClient(app, base_url=ORIGIN) as made:
        made.get("/", params={"token": TOKEN})
        yield made


def test_an_unresolved_request_takes_what_a_person_saw(stack: Stack, browser: TestClient) -> None:
    request = a_request()
    record = stack.service.ledger.accept(request)
    stack.service.provisioner.give_up(record, request, "It failed.")
    page = browser.get(f"/requests/{request.id}").text
    assert "It is not in Close" in page
    assert f"requests resolve {request.id} --not-there --retry --reason WHY</code>" in page
    resolutions, form = f"/requests/{request.id}/resolutions", {"there": "no", "reason": "looked with Anna"}

    assert browser.post(resolutions, data=form, headers={"Origin": "http://evil.example"}).status_code == 403
    stack.clock.advance(3600)
    answer = browser.post(resolutions, data=form, headers={"Origin": ORIGIN})

    assert (answer.status_code, answer.url.path) == (200, f"/requests/{request.id}"), answer.text
    refused = browser.post(resolutions, data={**form, "there": "yes"}, headers={"Origin": ORIGIN})
    assert "Close&#39;s lists do not show the type" in refused.text
    assert refused.url.path == f"/requests/{request.id}"
    assert browser.post(f"/requests/{request.id}/retries", headers={"Origin": ORIGIN}).status_code == 200
    assert "It is not in Close" not in browser.get(f"/requests/{request.id}").text


def test_the_overview_shows_the_minute_of_each_request(stack: Stack, browser: TestClient) -> None:
    assert "0 requests: 0 succeeded" in browser.get("/").text
    stack.post(a_request())
    stack.arm("402")
    stack.post(a_request("second", "Second"))
    at_once = browser.get("/").text
    assert "0 requests: 0 succeeded" in at_once, "the last contents, until the stream sends those of now"
    assert 'class="as-of' in at_once
    with mock.patch("close_provisioner.console.overview_page.KEPT_SECONDS", 0):
        assert "2 requests: 1 succeeded, 1 did not, 0 wait" in browser.get("/").text
