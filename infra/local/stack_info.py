"""What tools and tests need to know of a running local stack: ``.local/stack.json``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from infra.local.deployment import local_api_url
from infra.local.emulator import REGION, LocalAws

DOORS = ("api", "webhooks", "events", "worker", "sweeper")


@dataclass(frozen=True, slots=True)
class FunctionDescription:
    """A deployed function: ``environment`` holds the very variables that it has."""

    name: str
    handler: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class StackDescription:
    """``api_url`` is what ``/v1/…`` is appended to; ``close_url`` is the server's root, without ``/api/v1/``."""

    api_url: str
    aws_endpoint_url: str
    region: str
    queue_url: str
    dead_letter_queue_url: str
    topic_arn: str
    outcomes_queue_url: str
    table_name: str
    tenant_secret_prefix: str
    source_secret_prefix: str
    close_url: str
    functions: dict[str, FunctionDescription]

    @classmethod
    def of(cls, aws: LocalAws, outputs: Mapping[str, str], outcomes_queue_url: str, close_url: str) -> Self:
        """From the deployed stack's outputs and the functions' own configuration."""
        return cls(
            api_url=local_api_url(aws, outputs["ApiUrl"]),
            aws_endpoint_url=aws.endpoint_url,
            region=REGION,
            queue_url=outputs["ProvisioningQueueUrl"],
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            topic_arn=outputs["OutcomesTopicArn"],
            outcomes_queue_url=outcomes_queue_url,
            table_name=outputs["LedgerTableName"],
            tenant_secret_prefix=outputs["TenantSecretPrefix"],
            source_secret_prefix=outputs["SourceSecretPrefix"],
            close_url=close_url,
            functions={door: _function(aws, outputs[f"{door.capitalize()}FunctionName"]) for door in DOORS},
        )

    def write(self, path: Path) -> None:
        """All at once: whoever waits for the file finds it whole."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(path)


def _function(aws: LocalAws, name: str) -> FunctionDescription:
    found: dict[str, Any] = aws.client("lambda").get_function_configuration(FunctionName=name)
    return FunctionDescription(name, found["Handler"], found["Environment"]["Variables"])
