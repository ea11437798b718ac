"""The removal of everything that an acceptance run made, and the search for what is left of it."""

import time
from collections.abc import Iterator

from infra.acceptance.stage import Stage

SPARE_SECONDS = 5.0
"""After the delay of a message: until then it was received, and found that its request is settled."""


def remove(stage: Stage) -> list[str]:
    """Remove it, and return what could not be removed, and what is left."""
    _outlast_messages(stage)
    faults = []
    for step in (lambda: _forget_items(stage), *reversed(stage.undo)):
        try:
            step()
        except Exception as error:  # noqa: BLE001 - of any kind: the other steps follow
            faults.append(f"{type(error).__name__}: {error}")
    return [*faults, *left(stage)]


def _outlast_messages(stage: Stage) -> None:
    """Wait until no message of a request over HTTP is on the queue: without its item, it would be a new request."""
    if stage.last_post is not None:
        delay = float(stage.target.environment["FALLBACK_DELAY_SECONDS"]) + SPARE_SECONDS
        time.sleep(max(0.0, stage.last_post + delay - time.monotonic()))


def _forget_items(stage: Stage) -> None:
    dynamodb, table = stage.target.client("dynamodb"), stage.target.outputs["LedgerTableName"]
    for key in (*_items(stage), *stage.items):
        dynamodb.delete_item(TableName=table, Key={"pk": {"S": key}})


def _items(stage: Stage) -> Iterator[str]:
    """Yield the keys of all items that name the run: of its tenants, their organizations, and operators' actions."""
    pages = (
        stage.target.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stage.target.outputs["LedgerTableName"],
            FilterExpression="begins_with(tenant, :run) OR contains(pk, :run) OR contains(asked, :run)",
            ExpressionAttributeValues={":run": {"S": stage.run}},
            ProjectionExpression="pk",
            ConsistentRead=True,
        )
    )
    yield from (item["pk"]["S"] for page in pages for item in page["Items"])


def left(stage: Stage) -> Iterator[str]:
    """Yield whatever there is under the run's name: items, secrets, queues, subscriptions."""
    client = stage.target.client
    yield from (f"the item {key}" for key in _items(stage))
    secrets = client("secretsmanager").get_paginator("list_secrets").paginate()
    yield from (f"the secret {name}" for name in secrets.search("SecretList[].Name") if stage.run in name)
    queues = client("sqs").list_queues(QueueNamePrefix=stage.queue_name)
    yield from (f"the queue {url}" for url in queues.get("QueueUrls", []))
    pages = (
        client("sns")
        .get_paginator("list_subscriptions_by_topic")
        .paginate(TopicArn=stage.target.outputs["OutcomesTopicArn"])
    )
    endpoints = pages.search("Subscriptions[].Endpoint")
    yield from (f"the subscription of {arn}" for arn in endpoints if arn.endswith(f":{stage.queue_name}"))
