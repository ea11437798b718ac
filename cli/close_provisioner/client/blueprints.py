"""The blueprints that the deployed version knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from close_provisioner.client.answers import Answer, Listed
from close_provisioner.client.transport import Transport

ROUTE = "blueprints"


class Blueprint(Answer):
    """A named spec, with placeholders in its types."""

    name: str
    description: str = ""
    values: Mapping[str, Mapping[str, Any]] = {}
    custom_object_types: tuple[Mapping[str, Any], ...] = ()

    @property
    def type_names(self) -> list[str]:
        return [str(each.get("name", "")) for each in self.custom_object_types]


@dataclass(frozen=True, slots=True)
class Blueprints:
    """The blueprints of one stack."""

    transport: Transport

    def all(self) -> list[Blueprint]:
        return [Blueprint.read(each) for each in Listed.read(self.transport.get(ROUTE)).data]

    def one(self, name: str) -> Blueprint:
        """Return a blueprint. Raises ``NotFound``."""
        return Blueprint.read(self.transport.get(ROUTE, name))
