"""The control API of the simulated Close that runs as a Lambda function: by invocation, which IAM protects."""

import json
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import boto3

from infra.simulator.control.client import Body, ControlError, Controls


@dataclass(frozen=True, slots=True)
class InvokedControls(Controls):
    """The control calls of one function. Its URL answers no control call."""

    lambda_: Any
    function_name: str

    @classmethod
    def found_by_url(cls, session: boto3.Session, api_url: str) -> Self:
        """Return the controls of the function with this URL. Raises ``LookupError``."""
        lambda_ = session.client("lambda")
        host = urlsplit(api_url).hostname
        for page in lambda_.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                configs = lambda_.list_function_url_configs(FunctionName=function["FunctionName"])["FunctionUrlConfigs"]
                if host in {urlsplit(each["FunctionUrl"]).hostname for each in configs}:
                    return cls(lambda_, function["FunctionName"])
        raise LookupError(f"No function of this account and region has the URL {api_url}. Run `make simulator`.")

    def call(self, method: str, path: str, body: Body | None = None) -> Body:
        event = {"control": {"method": method, "path": path, "body": body}}
        invoked = self.lambda_.invoke(FunctionName=self.function_name, Payload=json.dumps(event).encode())
        answer = json.loads(invoked["Payload"].read())
        if "FunctionError" in invoked:
            raise ControlError(f"the simulated Close failed: {answer}")
        content: Body = json.loads(answer["body"])
        if answer["statusCode"] != 200:
            raise ControlError(content["error"])
        return content
