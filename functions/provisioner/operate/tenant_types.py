"""Shows a tenant's types in Close beside the last requests for them, with every difference."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from provisioner.close.list_cache import Organization
from provisioner.close.models import CustomObjectType
from provisioner.contract.errors import ProblemType, Rejected, RetryLater, Unavailable
from provisioner.contract.outcome import Difference
from provisioner.contract.request import IfExists, ProvisioningRequest
from provisioner.ledger.request_lists import ListedRequest, RequestLists, Span
from provisioner.ledger.store import Ledger
from provisioner.operate.call import Answer, Call, only_known
from provisioner.operate.request_pages import rfc3339
from provisioner.reconcile.plan import TypePlan
from provisioner.reconcile.provisioner import Provisioner
from provisioner.reconcile.tenancy import Tenancy

MAX_REQUESTS = 30  # the newest of a tenant, in which the last one for each type is looked for
MARGIN_SECONDS = 5
RETRY_SECONDS = 5
TYPE_KEYS = ("name", "name_plural", "description")


class Asked(NamedTuple):
    """The last request for a type, and the plan of that type if it were asked for again."""

    request: ListedRequest
    plan: TypePlan


class TenantTypes(NamedTuple):
    """The comparison. ``organization`` opens the organization of a tenant, for one call."""

    ledger: Ledger
    lists: RequestLists
    provisioner: Provisioner
    organization: Callable[[str, Callable[[], float]], Organization]

    def page(self, call: Call) -> Answer:
        """Return the types by name. Nothing is written. Raises ``Rejected`` if Close cannot be read."""
        only_known(call.query, ())
        tenant = call.path["tenant"]
        organization = self.organization(tenant, call.time_left)
        try:
            Tenancy(self.ledger, self.provisioner.clock).identify(tenant, organization)
            asked = self._asked(tenant, organization, call.time_left)
            types = {each.natural_key: each for each in organization.types()}
        except (RetryLater, Unavailable) as error:
            seconds = error.seconds if isinstance(error, RetryLater) else RETRY_SECONDS
            detail = f"Close could not be read: {error}. Try again in {max(seconds, 1):.0f} s."
            raise Rejected(ProblemType.UNAVAILABLE, detail) from None
        return {"data": [_shown(types.get(key), asked.get(key)) for key in sorted({*types, *asked})], "next": None}

    def _asked(self, tenant: str, organization: Organization, time_left: Callable[[], float]) -> dict[str, Asked]:
        """Return the last request for each type, by the natural key of the type that it means."""
        asked: dict[str, Asked] = {}
        seen: set[str] = set()
        for listed, request in self._requests(tenant):
            if time_left() < MARGIN_SECONDS:
                break
            names = {each.natural_key for each in request.types}
            if names <= seen:
                continue
            plan = self.provisioner.plan(request.model_copy(update={"if_exists": IfExists.ADOPT}), organization)
            for each in plan.types:
                key = each.existing.natural_key if each.existing else each.spec.natural_key
                if each.spec.natural_key not in seen:
                    asked.setdefault(key, Asked(listed, each))
            seen |= names
        return asked

    def _requests(self, tenant: str) -> Iterator[tuple[ListedRequest, ProvisioningRequest]]:
        found = self.lists.of_tenant(tenant, Span(0, self.provisioner.clock()), MAX_REQUESTS)
        for _, listed in zip(range(MAX_REQUESTS), found, strict=False):
            record = self.ledger.find(listed.id)
            if record is not None:
                yield listed, ProvisioningRequest.model_validate_json(record.body)


def _shown(observed: CustomObjectType | None, asked: Asked | None) -> dict[str, Any]:
    return {
        "name": observed.name if observed else asked.plan.spec.name if asked else "",
        "id": observed.id if observed else None,
        "request": asked.request.id if asked else None,
        "asked_at": rfc3339(asked.request.accepted_at) if asked else None,
        "keys": list(_keys(observed, asked.plan.differences if asked and asked.plan.existing else ())),
    }


def _keys(observed: CustomObjectType | None, differences: tuple[Difference, ...]) -> Iterator[Mapping[str, Any]]:
    """Yield the type's own keys, its fields, and every difference."""
    different = {each.field: each for each in differences}
    for key, value in _observed(observed).items():
        difference = different.pop(key, None)
        yield {
            "key": key,
            "observed": value,
            "desired": difference.desired if difference else value,
            "differs": difference is not None,
        }
    for key, each in different.items():
        yield {"key": key, "observed": each.observed, "desired": each.desired, "differs": True}


def _observed(observed: CustomObjectType | None) -> dict[str, Any]:
    if observed is None:
        return {}
    values = {key: observed.value(key) for key in TYPE_KEYS if observed.value(key) is not None}
    fields = observed.fields if isinstance(observed.fields, list) else []
    return values | {f"fields/{each.get('name', '')}": each.get("type") for each in fields if isinstance(each, dict)}
