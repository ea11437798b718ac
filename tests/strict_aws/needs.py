"""The permissions that a request needs, as the Service Authorization Reference lists them for each operation."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra.checks.deployed import Deployed
from tests.strict_aws.call import Call
from tests.strict_aws.iam import NeededPermission

IN_TRANSACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
RANDOM_SUFFIX = "-AbCdEf"
"""The end that Secrets Manager gives a secret's name in its ARN: a hyphen and six random characters."""


def needs(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    """Yield each permission that the call needs. Raises ``NotImplementedError`` for a service that is not known."""
    if call.service not in SERVICES:
        raise NotImplementedError(f"teach needs.py which permissions {call.service}:{call.operation} needs")
    yield from SERVICES[call.service](call, deployed)


def _dynamodb(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    yield from _items(call, deployed)
    [table] = deployed.resources("AWS::DynamoDB::Table").values()
    if key := table.get("SSESpecification", {}).get("KMSMasterKeyId"):
        yield NeededPermission("kms:Decrypt", key, {"kms:ViaService": [f"dynamodb.{deployed.region}.amazonaws.com"]})


def _items(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    if call.operation in {"TransactWriteItems", "TransactGetItems"}:
        for write in call.parameters["TransactItems"]:
            for kind, each in write.items():
                yield _item(IN_TRANSACTIONS[kind], each, deployed)
    elif call.operation in {"BatchGetItem", "BatchWriteItem"}:
        for table, requests in call.parameters["RequestItems"].items():
            keys = requests["Keys"] if isinstance(requests, dict) else [_written(each) for each in requests]
            yield _item(call.operation, {"TableName": table}, deployed, [_text(each["pk"]) for each in keys])
    elif call.operation in {"Query", "Scan"}:
        yield _item(call.operation, call.parameters, deployed, _queried(call.parameters, deployed))
    else:
        yield _item(call.operation, call.parameters, deployed)


def _item(
    action: str, parameters: Mapping[str, Any], deployed: Deployed, keys: list[str] | None = None
) -> NeededPermission:
    arn = f"arn:aws:dynamodb:{deployed.region}:{deployed.account}:table/{parameters['TableName']}"
    if index := parameters.get("IndexName"):
        arn += f"/index/{index}"
    if keys is None:
        keys = [_text((parameters.get("Key") or parameters["Item"])["pk"])]
    context = {"dynamodb:LeadingKeys": keys} if keys else {}
    return NeededPermission(f"dynamodb:{action}", arn, context)


def _written(request: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"]
    return found


def _queried(parameters: Mapping[str, Any], deployed: Deployed) -> list[str]:
    """Return the value of the partition key that a query names."""
    [table] = deployed.resources("AWS::DynamoDB::Table").values()
    schemas = {each["IndexName"]: each["KeySchema"] for each in table.get("GlobalSecondaryIndexes", [])}
    schema = schemas.get(parameters.get("IndexName", ""), table["KeySchema"])
    hash_key = next(each["AttributeName"] for each in schema if each["KeyType"] == "HASH")
    names = parameters.get("ExpressionAttributeNames", {})
    condition = re.sub(r"#\w+", lambda found: names[found[0]], parameters.get("KeyConditionExpression", ""))
    found = re.search(rf"\b{hash_key} = (:\w+)", condition)
    return [_text(parameters["ExpressionAttributeValues"][found[1]])] if found else []


def _text(value: Mapping[str, str]) -> str:
    [text] = value.values()
    return text


def _sqs(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    arns = [call.parameters[each] for each in ("SourceArn", "DestinationArn") if each in call.parameters] or [
        queue_arn(call.parameters["QueueUrl"], deployed)
    ]
    action = call.operation.removesuffix("Batch")
    for arn in arns:
        yield NeededPermission(f"sqs:{action}", arn)
        yield from _key_of(arn, deployed, writes=action == "SendMessage")


def queue_arn(url: str, deployed: Deployed) -> str:
    """Return the ARN of the queue with this URL."""
    return f"arn:aws:sqs:{deployed.region}:{deployed.account}:{url.rpartition('/')[2]}"


def _sns(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    arn = call.parameters["TopicArn"]
    yield NeededPermission(f"sns:{call.operation.removesuffix('Batch')}", arn)
    yield from _key_of(arn, deployed, writes=True)


def _key_of(arn: str, deployed: Deployed, *, writes: bool) -> Iterator[NeededPermission]:
    """Yield what a queue or topic under a key of one's own needs besides; AWS's own keys need no permission."""
    for kind in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
        for name, properties in deployed.resources(kind).items():
            known = deployed.attribute(name, "Arn") if kind == "AWS::SQS::Queue" else deployed.ref(name)
            key = str(properties.get("KmsMasterKeyId", ""))
            if known == arn and key.startswith("arn:"):
                via = {"kms:ViaService": [f"{arn.split(':')[2]}.{deployed.region}.amazonaws.com"]}
                yield NeededPermission("kms:Decrypt", key, via)
                if writes:
                    yield NeededPermission("kms:GenerateDataKey", key, via)


def _secretsmanager(call: Call, deployed: Deployed) -> Iterator[NeededPermission]:
    if call.operation == "ListSecrets":
        yield NeededPermission("secretsmanager:ListSecrets", "*")
        return
    named = call.parameters["SecretId"]
    arn = f"arn:aws:secretsmanager:{deployed.region}:{deployed.account}:secret:{named}{RANDOM_SUFFIX}"
    yield NeededPermission(f"secretsmanager:{call.operation}", named if named.startswith("arn:") else arn)
    parameters = deployed.template.source["Parameters"]
    for parameter in (each for each in parameters if each.endswith("SecretKeyArn")):
        prefix = deployed.ref(parameter.replace("KeyArn", "Prefix"))
        if (key := deployed.ref(parameter)) and named.startswith(f"{prefix}/"):
            via = {"kms:ViaService": [f"secretsmanager.{deployed.region}.amazonaws.com"]}
            yield NeededPermission("kms:Decrypt", key, via)


SERVICES: dict[str, Callable[[Call, Deployed], Iterator[NeededPermission]]] = {
    "dynamodb": _dynamodb,
    "secretsmanager": _secretsmanager,
    "sns": _sns,
    "sqs": _sqs,
}
