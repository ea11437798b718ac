"""The scenarios: short workloads without faults, each run once for every case of the matrix."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation import webhook_senders
from tests.simulation.callers import bodies, body
from tests.simulation.close_transport import LIST_LAG_SECONDS
from tests.simulation.workload import Workload


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rival``: another caller that wants the same type, at the worst moment."""

    name: str
    plot: Callable[[Workload], object]
    rival: Callable[[Workload], object]


def another(workload: Workload) -> None:
    """Another request for the same type, by another spelling of its name, over HTTP."""
    workload.post(body("rival", " ACCOUNT "))


def duplicate(workload: Workload) -> None:
    """The same messages once more, to another worker."""
    workload.deliver_twice()


def sent_again(workload: Workload) -> None:
    """The sender, impatient, delivers its event once more."""
    workload.webhook(webhook_senders.signup("acme"), "acme")


def without_tenant_again(workload: Workload) -> None:
    workload.webhook(webhook_senders.NOBODYS, None)


def api_create(workload: Workload) -> None:
    workload.environment.add_tenant("acme")
    workload.post(body("one"))


def api_insistent(workload: Workload) -> None:
    """The caller asks again under the same id until it knows."""
    workload.environment.add_tenant("acme")
    workload.insist(body("one"))


def api_async_create(workload: Workload) -> None:
    workload.environment.add_tenant("acme")
    workload.post(body("one"), Prefer="respond-async")
    workload.deliver()


def queue_create(workload: Workload) -> None:
    workload.environment.add_tenant("acme")
    workload.send(body("one"))
    workload.deliver()


def adopt(workload: Workload) -> None:
    """The organization has the type already, and it differs."""
    workload.environment.add_tenant("acme", types=[{"name": "account", "description": "older"}])
    workload.environment.clock.advance(LIST_LAG_SECONDS)
    workload.post(body("one", description="newer"))


def if_exists_fail(workload: Workload) -> None:
    """The second request fails because of the first one."""
    workload.environment.add_tenant("acme")
    workload.post(body("one"))
    workload.send(body("two", if_exists="fail"))
    workload.deliver()


def both_entry_points(workload: Workload) -> None:
    """Two requests, one type, over both entry points."""
    workload.environment.add_tenant("acme")
    workload.send(body("one"))
    workload.post(body("two", "ACCOUNT"))
    workload.deliver()


def same_twice(workload: Workload) -> None:
    """The same request over both entry points, and by an impatient caller once more."""
    workload.environment.add_tenant("acme")
    workload.post(body("one"))
    workload.send(body("one"))
    workload.post(body("one"))
    workload.deliver()


def rate_limited(workload: Workload) -> None:
    """Close wants the tenant left alone for a while; another tenant goes on."""
    workload.environment.add_tenant("acme")
    workload.environment.add_tenant("globex")
    workload.environment.close.throttle("acme")
    workload.send(body("one"))
    workload.deliver()
    workload.send(body("two", "Deal"))
    workload.send(body("three", "Ship", tenant="globex"))
    workload.deliver()


def plan_limit(workload: Workload) -> None:
    """Close refuses the create for good."""
    workload.environment.add_tenant("acme", has_custom_objects=False)
    workload.post(body("one"))


def malformed(workload: Workload) -> None:
    """An invalid message, a valid one, and one that uses the valid one's id for another request."""
    workload.environment.add_tenant("acme")
    workload.send("{")
    workload.send(body("one"))
    workload.deliver()
    workload.send(body("one", "Other"))
    workload.deliver()


def key_changed(workload: Workload) -> None:
    """The tenant's key is replaced while the functions remember the old one."""
    old = workload.environment.add_tenant("acme")
    workload.post(body("one"))
    workload.environment.replace_key("acme", old)
    workload.post(body("two", "Deal"))


def pinned(workload: Workload) -> None:
    """The tenant's secret names the organization that it must open."""
    workload.environment.add_tenant("acme")
    workload.environment.pin("acme")
    workload.send(body("one"))
    workload.deliver()


def batch(workload: Workload) -> None:
    """Two tenants in one batch, side by side."""
    workload.environment.add_tenant("acme")
    workload.environment.add_tenant("globex")
    workload.send(body("one"))
    workload.send(body("two", "account"))
    workload.send(body("three", "Ship", tenant="globex"))
    workload.deliver()


AMOUNT = {"name": "Amount", "type": "number", "required": True}
STATE = {"name": "State", "type": "choices", "choices": ["Open", "Paid"]}
REGION = {"name": "Region", "type": "choices", "choices": ["EMEA"], "shared": True}


def crowd(workload: Workload) -> None:
    """Many signups want one type, over both entry points: one of them looks."""
    workload.environment.add_tenant("acme")
    for number in range(4):
        workload.send(body(f"crowd-{number}"))
    workload.deliver()
    workload.post(body("one"))
    workload.post(body("two", if_exists="fail"))


def fields_create(workload: Workload) -> None:
    """A type with its fields, one of them of roles by name."""
    workload.environment.add_tenant("acme")
    workload.post(body("one", fields=[AMOUNT, {**STATE, "editable_with_roles": ["Admin"]}]))


def fields_update(workload: Workload) -> None:
    """The type is there: a field is added, choices are extended, what differs is changed, the order too."""
    there = {"name": "Account", "fields": [{"name": "Note", "type": "text"}, {**STATE, "choices": ["Old", "Open"]}]}
    workload.environment.add_tenant("acme", types=[there])
    workload.environment.clock.advance(LIST_LAG_SECONDS)
    workload.send(
        body("one", description="newer", if_exists="update", fields=[STATE, AMOUNT, {"name": "Note", "type": "text"}])
    )
    workload.deliver()


def different_fields(workload: Workload) -> None:
    """Two requests want different fields of one type, over both entry points."""
    workload.environment.add_tenant("acme")
    workload.send(body("one", if_exists="update", fields=[AMOUNT]))
    workload.post(body("two", "ACCOUNT", name_plural="Accounts", if_exists="update", fields=[STATE]))
    workload.deliver()


def references(workload: Workload) -> None:
    """Types that refer to each other in a circle, and share a field."""
    workload.environment.add_tenant("acme")
    invoice = {"name": "Order", "type": "custom_object", "references": "Order"}
    order = {"name": "Last invoice", "type": "custom_object", "references": "invoice"}
    types = (
        {"name": "Invoice", "name_plural": "Invoices", "fields": [invoice, REGION]},
        {"name": "Order", "name_plural": "Orders", "fields": [order, REGION]},
    )
    workload.send(bodies("one", *types))
    workload.deliver()


def more_fields(workload: Workload) -> None:
    """Another request for the same type, with a field that no other request has."""
    workload.post(body("rival", " ACCOUNT ", if_exists="update", fields=[{"name": "Rival", "type": "date"}]))


def webhook(workload: Workload) -> None:
    """A sender's signed event, delivered once more when it had arrived."""
    workload.environment.add_tenant("acme")
    workload.environment.add_source()
    workload.webhook(webhook_senders.signup("acme"), "acme")
    workload.deliver()
    workload.webhook(webhook_senders.signup("acme"), "acme")


def early_webhook(workload: Workload) -> None:
    """The customer signs up before its key is stored."""
    workload.environment.add_source()
    workload.webhook(webhook_senders.signup("acme"), "acme")
    workload.deliver()
    workload.environment.clock.advance(3600)
    workload.store_tenant("acme")


def webhook_without_tenant(workload: Workload) -> None:
    """It is signed, and names no tenant: that is announced, however often it is delivered."""
    workload.environment.add_source()
    for _ in range(2):
        workload.webhook(webhook_senders.NOBODYS, None)


def event(workload: Workload) -> None:
    """A request on the bus, and the same over the queue."""
    workload.environment.add_tenant("acme")
    workload.request_on_bus(body("one"))
    workload.send(body("one"))
    workload.deliver()


def partners_event(workload: Workload) -> None:
    """A partner's event, and the same as a webhook."""
    workload.environment.add_tenant("acme")
    workload.environment.add_source()
    workload.partner(webhook_senders.signup("acme"), "acme")
    workload.webhook(webhook_senders.signup("acme"), "acme")
    workload.deliver()


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("api create", api_create, another),
        Scenario("api insistent", api_insistent, another),
        Scenario("api async create", api_async_create, another),
        Scenario("queue create", queue_create, duplicate),
        Scenario("adopt", adopt, another),
        Scenario("if_exists fail", if_exists_fail, another),
        Scenario("both entry points", both_entry_points, duplicate),
        Scenario("same twice", same_twice, another),
        Scenario("rate limited", rate_limited, another),
        Scenario("plan limit", plan_limit, another),
        Scenario("malformed", malformed, duplicate),
        Scenario("key changed", key_changed, another),
        Scenario("pinned", pinned, duplicate),
        Scenario("batch", batch, another),
        Scenario("crowd", crowd, another),
        Scenario("fields create", fields_create, more_fields),
        Scenario("fields update", fields_update, more_fields),
        Scenario("different fields", different_fields, duplicate),
        Scenario("references", references, duplicate),
        Scenario("webhook", webhook, sent_again),
        Scenario("webhook before its tenant", early_webhook, another),
        Scenario("webhook without tenant", webhook_without_tenant, without_tenant_again),
        Scenario("event", event, duplicate),
        Scenario("event of a partner", partners_event, sent_again),
    )
}
"""By name."""
