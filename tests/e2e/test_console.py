"""The console in a real browser, on the running stack."""

import json
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from infra.local.console_process import console
from tests.browser import browser as chromium
from tests.e2e.conftest import OPTIONS
from tests.e2e.world import Tenant, World

ROOMS = ("/", "/requests", "/tenants", "/types", "/dead-letters", "/sources")
SERIOUS = {"serious", "critical"}
PATIENCE_MS = 30_000
# A live update has just replaced the rows, and the page has not marked the selected one yet.
ROWS_ARE_REPLACED = """() => {
    for (const row of document.querySelectorAll("tr[data-selected]")) delete row.dataset.selected;
}"""


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with console(OPTIONS.state) as address:
        yield address


@pytest.fixture(scope="module")
def origin(url: str) -> str:
    return url.partition("/?")[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """Return a page that has entered. A complaint in the browser's own console fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.goto(url)
    yield opened
    context.close()
    assert complaints == []


def test_a_request_is_seen_to_settle(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    expect(page.locator(".empty")).to_contain_text("No requests match")
    asked = tenant.asks("Seen Live")
    world.send(asked)
    expect(page.locator("tr", has_text=asked["request_id"])).to_contain_text("created")


def test_a_lost_response_is_followed_to_recovered(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    world.close.arm("create_then_hang_up", aim={"organization": tenant.organization})
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    world.send(tenant.asks("Lost And Found"))
    page.locator("tbody tr").first.click()
    expect(page.locator("h1")).to_contain_text(tenant.name)
    expect(page.locator("#request .facts")).to_contain_text("recovered")
    expect(page.locator("#request .why")).to_contain_text("Nothing")
    expect(page.locator(".live:not([data-state=done])")).to_have_count(0)  # a page opened after its end has none
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_visible()
    assert page.locator("svg rect.lost").count() == 2  # the call, and the legend
    assert page.locator("svg rect.wait").count() >= 2


def test_the_reason_of_a_wait_is_found(world: World, page: Page, origin: str) -> None:
    missing = f"missing-{uuid4().hex[:12]}"
    page.goto(f"{origin}/sources")
    world.send({**Tenant(missing, "", "").asks(), "wait_for_tenant": True})
    page.goto(f"{origin}/requests?tenant={missing}")
    page.locator("tbody tr").first.click()
    expect(page.locator("#request .why")).to_contain_text(f"tenants add {missing}")
    expect(page.locator(".run code")).to_contain_text(f"make key TENANT={missing} | ")


def test_a_failed_request_is_edited_and_retried(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    asked = tenant.asks("Taken", if_exists="fail")
    assert world.stack.http.submit(tenant.asks("Taken")).status_code == 201
    assert world.stack.http.submit(asked).status_code == 409
    page.goto(f"{origin}/requests?tenant={tenant.name}&is=failed")
    page.locator("tr", has_text=asked["request_id"]).click()
    page.get_by_role("link", name="Edit and retry").click()
    expect(page.locator("#plan")).to_contain_text("Taken")
    body = json.loads(page.locator("#body").input_value())
    types = body.get("custom_object_types") or [body["custom_object_type"]]
    types[0]["name"] = types[0]["name_plural"] = "Free"
    page.locator("#body").fill(json.dumps(body))
    expect(page.locator("#plan")).to_contain_text("create type Free")
    assert sorted(world.type_names(tenant)) == ["Taken"]
    page.get_by_role("button", name="Send as a new request").click()
    expect(page.locator("#request .facts")).to_contain_text("created")
    assert sorted(world.type_names(tenant)) == ["Free", "Taken"]


def test_a_mistake_in_an_edited_body_is_pointed_at(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    assert world.stack.http.submit(tenant.asks("Edited")).status_code == 201
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    page.locator("tbody tr").first.click()
    page.get_by_role("link", name="Edit and retry").click()
    page.locator("#body").fill('{"tenant": ')
    expect(page.locator("#plan")).to_contain_text("is not JSON")


def test_a_dead_letter_is_redriven(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    asked = tenant.asks("Redriven")
    reason = {"DataType": "String", "StringValue": "failed 5 times"}
    world.stack.aws.client("sqs").send_message(
        QueueUrl=world.stack.description.dead_letter_queue_url,
        MessageBody=json.dumps(asked),
        MessageAttributes={"reason": reason},
    )
    page.goto(f"{origin}/dead-letters")
    card = page.locator(".card", has_text=tenant.name)
    card.get_by_role("button", name="Redrive").click()
    expect(page.locator(".banner")).to_contain_text("1 sent again")
    assert world.outcome(asked).data["result"] == "created"


def test_an_event_of_a_source_is_sent(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    page.goto(f"{origin}/sources")
    card = page.locator("#source-stripe")
    card.get_by_label("Event of stripe").select_option("customer.created")
    card.get_by_label("Tenant for stripe").fill(tenant.name)
    card.get_by_role("button", name="Send").click()
    expect(page.locator(".banner.good")).to_contain_text("→ created: Account created")
    page.reload()
    expect(page.locator(".banner.good")).to_contain_text("202 Accepted")
    page.get_by_role("link", name="Open the request").click()
    expect(page.locator("#request")).to_contain_text("this request created it")
    assert world.type_names(tenant) == ["Account"]
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    expect(page.locator("tr[data-href]")).to_have_count(1)  # the reload sent no second event


def test_a_refused_body_stays_in_its_form(
    world: World, tenant: Tenant, browser: Browser, url: str, origin: str
) -> None:
    assert world.stack.http.submit(tenant.asks("Kept")).status_code == 201
    context = browser.new_context()  # of its own: the browser notes the refusal in its console
    page = context.new_page()
    page.goto(url)
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    page.goto(f"{origin}{page.locator('tr[data-href]').get_attribute('data-href')}/edit")
    page.locator("#body").fill('{"typo": 1}')
    expect(page.locator("#plan")).to_contain_text("cannot be sent")
    expect(page.locator("#send")).to_be_disabled()
    page.locator("form.columns").evaluate("form => form.submit()")
    expect(page.locator(".banner.bad")).to_contain_text("typo")
    expect(page.locator("#body")).to_have_value('{"typo": 1}')
    context.close()


def test_a_dropped_message_is_confirmed_and_named(world: World, page: Page, origin: str) -> None:
    world.stack.aws.client("sqs").send_message(
        QueueUrl=world.stack.description.dead_letter_queue_url, MessageBody=f"not a request: {uuid4()}"
    )
    page.goto(f"{origin}/dead-letters")
    card = page.locator(".card", has_text="not a request").first
    card.get_by_text("Drop", exact=True).click()
    button = card.get_by_role("button", name="Drop ")
    message = button.inner_text().removeprefix("Drop ")
    button.click()
    expect(page.locator(".banner")).to_contain_text(f"1 dropped: {message}")


def test_a_tenant_is_checked(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    page.goto(f"{origin}/tenants/{tenant.name}")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#checks .state").first).to_contain_text("ready")
    assert tenant.secret not in page.content()


def test_a_type_is_shown_beside_its_request(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    asked = tenant.asks("Compared", description="As asked for")
    assert world.stack.http.submit(asked).status_code == 201
    (made,) = world.close.types(tenant.organization)
    edited = f"{world.close.api_url}custom_object_type/{made['id']}/"
    httpx.put(edited, auth=(tenant.secret, ""), json={"description": "Edited by hand"}).raise_for_status()
    page.goto(f"{origin}/types?tenant={tenant.name}")
    changed = page.locator("tr.changed")
    expect(changed).to_contain_text("Edited by hand")
    expect(changed).to_contain_text("As asked for")


def test_a_name_that_attacks_is_shown_harmlessly(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    asked = tenant.asks(f"<script>document.title='owned'</script> {'👩‍🚀' * 30}"[:100])
    world.send(asked)
    world.outcome(asked)
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    page.locator("tr", has_text=asked["request_id"]).click()
    expect(page.locator("#request .facts")).to_contain_text("<script>")
    assert "owned" not in page.title()


def test_a_form_of_another_site_is_refused(world: World, url: str, origin: str) -> None:
    with httpx.Client(follow_redirects=False) as forger:
        forger.get(url)
        answer = forger.post(
            f"{origin}/sources/stripe/events",
            data={"event": "customer.created", "tenant": "acme"},
            headers={"Origin": "http://evil.example"},
        )
        assert answer.status_code == 403
        assert forger.get(f"{origin}/requests", headers={"Host": "evil.example"}).status_code == 421
    assert httpx.get(f"{origin}/requests").status_code == 403


def test_the_keyboard_is_enough(world: World, tenant: Tenant, page: Page, origin: str) -> None:
    for name in ("One", "Two"):
        assert world.stack.http.submit(tenant.asks(name)).status_code == 201
    page.goto(f"{origin}/requests?tenant={tenant.name}")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.locator("[data-search]").blur()
    page.keyboard.press("j")
    page.keyboard.press("j")
    selected = page.locator("tr[data-selected]").get_attribute("data-href")
    page.evaluate(ROWS_ARE_REPLACED)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{selected}")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_fit_and_everybody_can_use_them(
    world: World, browser: Browser, url: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    latest = page.locator("tr[data-href]").first.get_attribute("data-href")
    for path in (*ROOMS, latest, f"{latest}/edit"):
        page.goto(f"{url.partition('/?')[0]}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        found = Axe().run(page)
        serious = [each for each in found.response["violations"] if each["impact"] in SERIOUS]
        assert serious == [], path
    page.goto(f"{url.partition('/?')[0]}/tenants/acme")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#checks .state").first).to_contain_text("ready")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the checks"
    context.close()
