"""Questions about sources, with typed answers."""

from dataclasses import dataclass

from close_provisioner.client.answers import Answer, Listed
from close_provisioner.client.checks import Check
from close_provisioner.client.requests import Summary
from close_provisioner.client.transport import Transport

ROUTE = "sources"


class Source(Answer):
    """An upstream sender of webhooks, and its secrets in number."""

    source: str
    path: str
    secret_stored: bool | None = None
    active_secrets: int | None = None
    fault: str | None = None
    accepted_last_day: int | None = None


class Deliveries(Listed):
    """Every source, and the latest requests of the last day that came from one."""

    latest: tuple[Summary, ...] = ()


class SourceReport(Answer):
    """The self-test of one source: its events, signed with the stored secret, verified and mapped."""

    source: str
    ready: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of one stack."""

    transport: Transport

    def all(self) -> list[Source]:
        return self.with_latest()[0]

    def with_latest(self) -> tuple[list[Source], tuple[Summary, ...]]:
        """Return every source, and the latest requests that came from one."""
        found = Deliveries.read(self.transport.get(ROUTE))
        return [Source.read(each) for each in found.data], found.latest

    def check(self, source: str) -> SourceReport:
        """Test a source. Nothing is provisioned. Raises ``NotFound``."""
        return SourceReport.read(self.transport.post(ROUTE, source, "checks", body={}))
