"""What happens, apart from what goes wrong: each scenario is one short play, run once for every case of the matrix."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation import webhook_senders as upstream
from tests.simulation.callers import bodies, body
from tests.simulation.close_transport import LIST_LAG_SECONDS
from tests.simulation.workload import Play


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rival``: somebody else who wants the same, at the worst moment."""

    name: str
    plot: Callable[[Play], object]
    rival: Callable[[Play], object]


def another(play: Play) -> None:
    """Another request for the same type, by another spelling of its name, over HTTP."""
    play.post(body("rival", " ACCOUNT "))


def duplicate(play: Play) -> None:
    """The same messages once more, to another worker."""
    play.deliver_twice()


def sent_again(play: Play) -> None:
    """The sender, impatient, delivers its event once more."""
    play.webhook(upstream.signup("acme"), "acme")


def nobodys_again(play: Play) -> None:
    play.webhook(upstream.NOBODYS, None)


def api_create(play: Play) -> None:
    play.world.add_tenant("acme")
    play.post(body("one"))


def api_insistent(play: Play) -> None:
    """The caller asks again under the same id until it knows."""
    play.world.add_tenant("acme")
    play.insist(body("one"))


def api_async_create(play: Play) -> None:
    play.world.add_tenant("acme")
    play.post(body("one"), Prefer="respond-async")
    play.deliver()


def queue_create(play: Play) -> None:
    play.world.add_tenant("acme")
    play.send(body("one"))
    play.deliver()


def adopt(play: Play) -> None:
    """The organization has the type already, and it differs."""
    play.world.add_tenant("acme", types=[{"name": "account", "description": "older"}])
    play.world.clock.advance(LIST_LAG_SECONDS)
    play.post(body("one", description="newer"))


def if_exists_fail(play: Play) -> None:
    """The second request fails because of the first one."""
    play.world.add_tenant("acme")
    play.post(body("one"))
    play.send(body("two", if_exists="fail"))
    play.deliver()


def both_doors(play: Play) -> None:
    """Two requests, one type, over both doors."""
    play.world.add_tenant("acme")
    play.send(body("one"))
    play.post(body("two", "ACCOUNT"))
    play.deliver()


def same_twice(play: Play) -> None:
    """The same request over both doors, and by an impatient caller once more."""
    play.world.add_tenant("acme")
    play.post(body("one"))
    play.send(body("one"))
    play.post(body("one"))
    play.deliver()


def rate_limited(play: Play) -> None:
    """Close wants the tenant left alone for a while; another tenant goes on."""
    play.world.add_tenant("acme")
    play.world.add_tenant("globex")
    play.world.close.throttle("acme")
    play.send(body("one"))
    play.deliver()
    play.send(body("two", "Deal"))
    play.send(body("three", "Ship", tenant="globex"))
    play.deliver()


def plan_limit(play: Play) -> None:
    """Close refuses the create for good."""
    play.world.add_tenant("acme", has_custom_objects=False)
    play.post(body("one"))


def malformed(play: Play) -> None:
    """A message that is no request, one that is, and one that uses the latter's id for something else."""
    play.world.add_tenant("acme")
    play.send("{")
    play.send(body("one"))
    play.deliver()
    play.send(body("one", "Other"))
    play.deliver()


def key_changed(play: Play) -> None:
    """The tenant's key is replaced while the functions remember the old one."""
    old = play.world.add_tenant("acme")
    play.post(body("one"))
    play.world.replace_key("acme", old)
    play.post(body("two", "Deal"))


def pinned(play: Play) -> None:
    """The tenant's secret names the organization that it must open."""
    play.world.add_tenant("acme")
    play.world.pin("acme")
    play.send(body("one"))
    play.deliver()


def batch(play: Play) -> None:
    """Two tenants in one batch, side by side."""
    play.world.add_tenant("acme")
    play.world.add_tenant("globex")
    play.send(body("one"))
    play.send(body("two", "account"))
    play.send(body("three", "Ship", tenant="globex"))
    play.deliver()


AMOUNT = {"name": "Amount", "type": "number", "required": True}
STATE = {"name": "State", "type": "choices", "choices": ["Open", "Paid"]}
REGION = {"name": "Region", "type": "choices", "choices": ["EMEA"], "shared": True}


def fields_create(play: Play) -> None:
    """A type with its fields, one of them of roles by name."""
    play.world.add_tenant("acme")
    play.post(body("one", fields=[AMOUNT, {**STATE, "editable_with_roles": ["Admin"]}]))


def fields_update(play: Play) -> None:
    """The type is there: a field is added, choices are extended, what differs is changed, the order too."""
    there = {"name": "Account", "fields": [{"name": "Note", "type": "text"}, {**STATE, "choices": ["Old", "Open"]}]}
    play.world.add_tenant("acme", types=[there])
    play.world.clock.advance(LIST_LAG_SECONDS)
    play.send(
        body("one", description="newer", if_exists="update", fields=[STATE, AMOUNT, {"name": "Note", "type": "text"}])
    )
    play.deliver()


def different_fields(play: Play) -> None:
    """Two requests want different fields of one type, over both doors."""
    play.world.add_tenant("acme")
    play.send(body("one", if_exists="update", fields=[AMOUNT]))
    play.post(body("two", "ACCOUNT", name_plural="Accounts", if_exists="update", fields=[STATE]))
    play.deliver()


def references(play: Play) -> None:
    """Types that refer to each other in a circle, and share a field."""
    play.world.add_tenant("acme")
    invoice = {"name": "Order", "type": "custom_object", "references": "Order"}
    order = {"name": "Last invoice", "type": "custom_object", "references": "invoice"}
    types = (
        {"name": "Invoice", "name_plural": "Invoices", "fields": [invoice, REGION]},
        {"name": "Order", "name_plural": "Orders", "fields": [order, REGION]},
    )
    play.send(bodies("one", *types))
    play.deliver()


def more_fields(play: Play) -> None:
    """Another request for the same type, which wants a field that nobody else does."""
    play.post(body("rival", " ACCOUNT ", if_exists="update", fields=[{"name": "Rival", "type": "date"}]))


def webhook(play: Play) -> None:
    """A sender's signed event, delivered once more when it had arrived."""
    play.world.add_tenant("acme")
    play.world.add_source()
    play.webhook(upstream.signup("acme"), "acme")
    play.deliver()
    play.webhook(upstream.signup("acme"), "acme")


def early_webhook(play: Play) -> None:
    """The customer signs up before its key is stored."""
    play.world.add_source()
    play.webhook(upstream.signup("acme"), "acme")
    play.deliver()
    play.world.clock.advance(3600)
    play.store_tenant("acme")


def webhook_of_nobody(play: Play) -> None:
    """It is signed, and names no tenant: that is announced, however often it is delivered."""
    play.world.add_source()
    for _ in range(2):
        play.webhook(upstream.NOBODYS, None)


def event(play: Play) -> None:
    """A request on the bus, and the same over the queue."""
    play.world.add_tenant("acme")
    play.request_on_bus(body("one"))
    play.send(body("one"))
    play.deliver()


def partners_event(play: Play) -> None:
    """A partner's event, and the same as a webhook."""
    play.world.add_tenant("acme")
    play.world.add_source()
    play.partner(upstream.signup("acme"), "acme")
    play.webhook(upstream.signup("acme"), "acme")
    play.deliver()


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("api create", api_create, another),
        Scenario("api insistent", api_insistent, another),
        Scenario("api async create", api_async_create, another),
        Scenario("queue create", queue_create, duplicate),
        Scenario("adopt", adopt, another),
        Scenario("if_exists fail", if_exists_fail, another),
        Scenario("both doors", both_doors, duplicate),
        Scenario("same twice", same_twice, another),
        Scenario("rate limited", rate_limited, another),
        Scenario("plan limit", plan_limit, another),
        Scenario("malformed", malformed, duplicate),
        Scenario("key changed", key_changed, another),
        Scenario("pinned", pinned, duplicate),
        Scenario("batch", batch, another),
        Scenario("fields create", fields_create, more_fields),
        Scenario("fields update", fields_update, more_fields),
        Scenario("different fields", different_fields, duplicate),
        Scenario("references", references, duplicate),
        Scenario("webhook", webhook, sent_again),
        Scenario("webhook before its tenant", early_webhook, another),
        Scenario("webhook of nobody", webhook_of_nobody, nobodys_again),
        Scenario("event", event, duplicate),
        Scenario("event of a partner", partners_event, sent_again),
    )
}
"""By name."""
