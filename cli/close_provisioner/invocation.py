"""One run of a command: its options, its printer, and the stack that it is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from close_provisioner.client.service import Service
from close_provisioner.host import Host
from close_provisioner.output.printer import Printer
from close_provisioner.stack.which import Choice, Stack, find_stack


@dataclass(frozen=True)
class Invocation:
    """Every command gets one. Nothing is called before a command asks for it."""

    host: Host
    choice: Choice
    printer: Printer

    @classmethod
    def of(cls, host: Host, given: Mapping[str, Any]) -> "Invocation":
        """Return the run with these values of the shared options."""
        choice = Choice(given["stack"], given["local"], given["profile"], given["region"])
        return cls(host, choice, Printer(host, as_json=given["as_json"], utc=given["utc"]))

    @cached_property
    def stack(self) -> Stack:
        """The stack. The first line for people says which one was taken."""
        found = find_stack(self.choice, self.host.folder, self.host.environment)
        if self.printer.is_interactive:
            place = found.endpoint_url if found.is_local else found.region
            self.printer.note(f"{found.name} · {place}")
        return found

    @cached_property
    def service(self) -> Service:
        """The client of the stack's HTTP API."""
        return Service.of(self.stack, self.host.transport)
