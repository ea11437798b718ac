"""The scenarios of acceptance that concern operation: dead-found messages, alarms, logs, traces, permissions."""

import json
import time
from typing import Any

from infra.acceptance.stage import Skipped, Stage


def dead_letter(stage: Stage) -> str:
    message_id = stage.send(f"no request of {stage.run}")
    found = stage.eventually(lambda: _found(stage, message_id), f"the dead-found message {message_id}")
    return "with a reason" if found["MessageAttributes"]["reason"]["StringValue"] else "without a reason"


def _found(stage: Stage, message_id: str) -> dict[str, Any] | None:
    sqs, queue = stage.target.client("sqs"), stage.target.outputs["DeadLetterQueueUrl"]
    received = sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=2, MessageAttributeNames=["All"]
    )
    for found in received.get("Messages", []):
        if found["MessageAttributes"].get("message_id", {}).get("StringValue") == message_id:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
            return dict(found)
    return None


def redrive(stage: Stage) -> str:
    """A message on the dead-found queue goes back to the provisioning queue, and is carried out."""
    asked = stage.party().asks()
    sqs, dead = stage.target.client("sqs"), stage.target.outputs["DeadLetterQueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody=json.dumps(asked))
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    if stage.target.is_local:  # the emulator moves no messages
        found = stage.eventually(lambda: _body_found(stage, asked["request_id"]), "the message")
        stage.send(found)
    else:
        sqs.start_message_move_task(SourceArn=arn)
    return stage.result(asked)


def _body_found(stage: Stage, request_id: str) -> str | None:
    sqs, queue = stage.target.client("sqs"), stage.target.outputs["DeadLetterQueueUrl"]
    for found in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=2).get("Messages", []):
        if request_id in found["Body"]:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
            return str(found["Body"])
    return None


def alarm(stage: Stage) -> str:
    """An alarm is set and reset; on AWS its next evaluation would do the same."""
    cloudwatch, name = stage.target.client("cloudwatch"), f"{stage.target.name}-dead-letters"
    states = []
    for state in ("ALARM", "OK"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"{stage.run} sets it")
        [found] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        states.append(found["StateValue"])
    return ", ".join(states)


def logged(stage: Stage) -> str:
    """The worker's log has the line of the request, and no credential."""
    party = stage.party()
    asked = party.asks()
    stage.send(asked)
    stage.result(asked)
    lines = stage.eventually(lambda: _lines(stage, asked["request_id"]), "the line of the request in the worker's log")
    settled = [each for each in map(json.loads, lines) if each.get("message") == "settled"]
    return f"settled, {settled[0]['result']}" if settled else f"{len(lines)} other lines"


def _lines(stage: Stage, request_id: str) -> list[str]:
    group = f"/aws/lambda/{stage.target.name}-worker"
    found = stage.target.client("logs").filter_log_events(
        logGroupName=group, filterPattern=f'"{request_id}"', startTime=int((time.time() - 600) * 1000)
    )
    lines = [each["message"] for each in found["events"] if request_id in each["message"]]
    return [each for each in lines if '"settled"' in each and each.startswith("{")]


def denied(stage: Stage) -> str:
    """IAM itself says that the webhooks function's role may read no tenant's credential."""
    if stage.target.is_local:
        raise Skipped("the emulator does not simulate policies")
    function = stage.target.client("lambda").get_function_configuration(
        FunctionName=stage.target.outputs["WebhooksFunctionName"]
    )
    account = function["FunctionArn"].split(":")[4]
    secret = (
        f"arn:aws:secretsmanager:{stage.target.session.region_name}:{account}:secret:"
        f"{stage.target.outputs['TenantSecretPrefix']}/acme-AbCdEf"
    )
    [decision] = stage.target.client("iam").simulate_principal_policy(
        PolicySourceArn=function["Role"], ActionNames=["secretsmanager:GetSecretValue"], ResourceArns=[secret]
    )["EvaluationResults"]
    return str(decision["EvalDecision"])


def traced(stage: Stage) -> str:
    if stage.target.is_local:
        raise Skipped("the emulator keeps no traces")
    asked = stage.party().asks()
    stage.post(asked)
    xray, since = stage.target.client("xray"), time.time() - 300
    expression = f'service("{stage.target.outputs["ApiFunctionName"]}")'

    def found() -> list[Any]:
        traces: list[Any] = xray.get_trace_summaries(StartTime=since, EndTime=time.time(), FilterExpression=expression)[
            "TraceSummaries"
        ]
        return traces

    stage.eventually(found, "a trace of the api function")
    return "a trace"
