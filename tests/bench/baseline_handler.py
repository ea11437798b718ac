"""The baseline handler: HTTP API and queue as a developer would write them from the libraries' docs.

It works: it lists, creates what is missing, publishes, and remembers what it did with Powertools' idempotency. After a
lost response it forgets the create and sends it again. The tables compare this service with it.

It runs in the environment of the real functions, and keeps its records in the same table.
"""

import os
from datetime import UTC, datetime
from typing import Any

import boto3
import httpx
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

TOPIC = os.environ["OUTCOMES_TOPIC_ARN"]
SOURCE = os.environ["EVENT_SOURCE"]
SECRET_PREFIX = os.environ["TENANT_SECRET_PREFIX"]

logger = Logger()
metrics = Metrics()
app = APIGatewayRestResolver(enable_validation=True)
processor = BatchProcessor(event_type=EventType.SQS)
persistence = DynamoDBPersistenceLayer(
    table_name=os.environ["LEDGER_TABLE_NAME"], key_attr="pk", expiry_attr="expires_at"
)
idempotency = IdempotencyConfig(event_key_jmespath="[tenant, request_id]", expires_after_seconds=24 * 3600)
secrets = SecretsProvider()
sns = boto3.client("sns")
close = httpx.Client(base_url=os.environ["CLOSE_API_URL"], timeout=float(os.environ["CLOSE_TIMEOUT_SECONDS"]))


class CustomObjectType(BaseModel):
    name: str
    name_plural: str
    description: str | None = None
    api_create_only: bool = False
    editable_with_roles: list[str] | None = None


class ProvisioningRequest(BaseModel):
    tenant: str = "default"
    request_id: str
    if_exists: str = "adopt"
    custom_object_type: CustomObjectType


class CloudEvent(BaseModel):
    specversion: str = "1.0"
    id: str
    source: str = SOURCE
    type: str = "close-provisioner.provisioning.succeeded"
    time: str
    datacontenttype: str = "application/json"
    data: dict[str, Any]


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Takes what API Gateway and SQS send."""
    return take_messages(event, context) if "Records" in event else take_request(event, context)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def take_request(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    idempotency.register_lambda_context(context)
    return app.resolve(event, context)


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def take_messages(event: dict[str, Any], context: LambdaContext) -> Any:
    idempotency.register_lambda_context(context)
    return process_partial_response(event=event, record_handler=take_message, processor=processor, context=context)


@app.post("/v1/provisioning-requests")
def submit(request: ProvisioningRequest) -> tuple[dict[str, Any], int]:
    outcome = provision(request=request.model_dump())
    return outcome, 201 if outcome["result"] == "created" else 200


def take_message(record: SQSRecord) -> None:
    request = parse(event={"request_id": record.message_id, **record.json_body}, model=ProvisioningRequest)
    provision(request=request.model_dump())


@idempotent_function(data_keyword_argument="request", persistence_store=persistence, config=idempotency)  # type: ignore[untyped-decorator]
def provision(request: dict[str, Any]) -> dict[str, Any]:
    """List, then create what is missing, then tell."""
    api_key = str(secrets.get(f"{SECRET_PREFIX}/{request['tenant']}", max_age=300))
    auth = httpx.BasicAuth(api_key, "")
    desired = {key: value for key, value in request["custom_object_type"].items() if value is not None}
    listed = close.get("custom_object_type/", auth=auth).raise_for_status().json()["data"]
    found = next((each for each in listed if each["name"].casefold() == desired["name"].casefold()), None)
    if found is None:
        observed = close.post("custom_object_type/", json=desired, auth=auth).raise_for_status().json()
        result = "created"
    else:
        observed = found
        result = "unchanged" if all(observed.get(key) == value for key, value in desired.items()) else "adopted"
    outcome = {
        "tenant": request["tenant"],
        "request_id": request["request_id"],
        "result": result,
        "custom_object_type": observed,
        "settled_at": datetime.now(UTC).isoformat(),
    }
    announce(outcome)
    logger.info("settled", extra={"request_id": request["request_id"], "result": result})
    metrics.add_metric(result.capitalize(), MetricUnit.Count, 1)
    return outcome


def announce(outcome: dict[str, Any]) -> None:
    event = CloudEvent(id=f"{outcome['tenant']}/{outcome['request_id']}", time=outcome["settled_at"], data=outcome)
    attributes = {"type": event.type, "source": SOURCE, "tenant": outcome["tenant"], "result": outcome["result"]}
    sns.publish(
        TopicArn=TOPIC,
        Message=event.model_dump_json(),
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )
