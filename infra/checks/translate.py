"""Translates the SAM template into the CloudFormation that AWS makes of it: ``translate.py template.yaml out.json``.

Runs on the Python of ``.tools/sam``, which holds SAM's own translator in the version that SAM CLI uses. What
needs an upload first (code, the nested template) is given a place that looks like one.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks boto3 for a region

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

UPLOADED_CODE = "s3://uploaded/artifact.zip"
UPLOADED_TEMPLATE = "https://s3.us-east-1.amazonaws.com/uploaded/nested.yaml"


class NoManagedPolicies:
    """Stands for the list of AWS's managed policies, which would need a call to IAM. The template names them by ARN."""

    def load(self) -> dict[str, str]:
        return {}


def translate(template: dict[str, Any]) -> dict[str, Any]:
    """The CloudFormation template, with every parameter at its default."""
    template["Globals"]["Function"]["CodeUri"] = UPLOADED_CODE
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Application":
            resource["Properties"]["Location"] = UPLOADED_TEMPLATE
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    return translated


def main(source: str, target: str) -> None:
    translated = translate(yaml_parse(Path(source).read_text(encoding="utf-8")))
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).write_text(json.dumps(translated, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
