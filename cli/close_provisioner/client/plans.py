"""Plans: what a request would do, in text with its digest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.transport import Question, Transport
from close_provisioner.errors import Unexpected

TOTAL = re.compile(r"(?P<steps>\d+) steps?, (?P<blocked>\d+) blocked; digest (?P<digest>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for one tenant. ``text``: one line for each step and each difference, without the total."""

    tenant: str
    text: str
    steps: int
    blocked: int
    digest: str

    @property
    def is_rejected(self) -> bool:
        """Whether the request would be rejected, since a type exists and must not."""
        return any(line.startswith("! type ") for line in self.text.splitlines())


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of one stack. Asking for a plan writes nothing."""

    transport: Transport

    def make(self, tenant: str, body: Mapping[str, Any]) -> Plan:
        """Return the plan of a request for a tenant."""
        reply = self.transport.ask(
            Question("POST", ("plans",), {**body, "tenant": tenant}, headers={"Accept": "text/plain"})
        )
        found = TOTAL.search(str(reply.body))
        if found is None:
            raise Unexpected("The stack's plan is not as this version expects. Install the stack's version.")
        text = str(reply.body)[: found.start()].rstrip("\n")
        return Plan(tenant, text, int(found["steps"]), int(found["blocked"]), found["digest"])

    def document(self, tenant: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plan as JSON."""
        shown: dict[str, Any] = self.transport.post("plans", body={**body, "tenant": tenant})
        return {"tenant": tenant, **shown}
