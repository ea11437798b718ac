"""``.local/stack.json``: the addresses and names of a running local stack, for tools and tests."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from infra.local.deployment import local_api_url
from infra.local.emulator import REGION, LocalAws

HANDLERS = ("api", "webhooks", "events", "worker", "sweeper", "operator")


@dataclass(frozen=True, slots=True)
class FunctionDescription:
    """A deployed function, with the environment variables that it has."""

    name: str
    handler: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class StackDescription:
    """Addresses and names. Append ``/v1/…`` to ``api_url``, and ``/api/v1/…`` to ``close_url``."""

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
        """Return the description, from the outputs of the stack and the configuration of the functions."""
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
            functions={name: _function(aws, outputs[f"{name.capitalize()}FunctionName"]) for name in HANDLERS},
        )

    def write(self, path: Path) -> None:
        """Write the file in one step, so that a program that waits for it never reads a part of it."""
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n")
        unfinished.replace(path)


def _function(aws: LocalAws, name: str) -> FunctionDescription:
    found: dict[str, Any] = aws.client("lambda").get_function_configuration(FunctionName=name)
    return FunctionDescription(name, found["Handler"], found["Environment"]["Variables"])
