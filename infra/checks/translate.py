"""Translates the SAM template into CloudFormation, as AWS does: ``translate.py SOURCE TARGET [Name=value …]``.

It runs on the Python of ``.tools/sam``, which has SAM's own translator in the version that the SAM CLI uses. Code and
the nested template are not uploaded: they get invented addresses.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator gets the region from boto3

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

UPLOADED_CODE = "s3://uploaded/artifact.zip"
UPLOADED_TEMPLATE = "https://s3.us-east-1.amazonaws.com/uploaded/nested.yaml"


class NoManagedPolicies:
    """An empty list of AWS's managed policies: the real one needs a call to IAM, and the template names them by ARN."""

    def load(self) -> dict[str, str]:
        return {}


def translate(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """Return the CloudFormation template, translated with these values of parameters and the others' defaults."""
    template["Globals"]["Function"]["CodeUri"] = UPLOADED_CODE
    for resource in template["Resources"].values():
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = UPLOADED_CODE
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = UPLOADED_TEMPLATE
    translated: dict[str, Any] = transform(template, parameters, NoManagedPolicies())
    return translated


def main(source: str, target: str, *parameters: str) -> None:
    given = {name: value for name, _, value in (each.partition("=") for each in parameters)}
    translated = translate(yaml_parse(Path(source).read_text(encoding="utf-8")), given)
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(json.dumps(translated, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
