"""The client of one stack: questions and actions as methods, answers as typed values. It prints nothing."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import httpx

from close_provisioner.client.audit import Audit
from close_provisioner.client.blueprints import Blueprints
from close_provisioner.client.dead_letters import DeadLetters
from close_provisioner.client.plans import Plans
from close_provisioner.client.requests import Requests
from close_provisioner.client.sources import Sources
from close_provisioner.client.status import StatusPage
from close_provisioner.client.tenants import Tenants
from close_provisioner.client.transport import Transport
from close_provisioner.stack.which import Stack


@dataclass(frozen=True)
class Service:
    """Everything that the HTTP API of a stack offers to operators."""

    stack: Stack
    transport: Transport

    @classmethod
    def of(cls, stack: Stack, network: httpx.BaseTransport | None = None) -> Self:
        """Return the client of a stack; ``network`` replaces the real one."""
        return cls(stack, Transport.of(stack, network))

    @cached_property
    def plans(self) -> Plans:
        return Plans(self.transport)

    @cached_property
    def requests(self) -> Requests:
        return Requests(self.transport)

    @cached_property
    def blueprints(self) -> Blueprints:
        return Blueprints(self.transport)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.transport)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.transport)

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.transport)

    @cached_property
    def status(self) -> StatusPage:
        return StatusPage(self.transport)

    @cached_property
    def tenants(self) -> Tenants:
        return Tenants(self.transport)
