"""The judge of the simulated stack: each request that a function sends is held to AWS's models, limits and its role."""

from functools import cache

from botocore.awsrequest import AWSPreparedRequest

from infra.checks.cloudformation import Template
from infra.checks.translated import translated
from tests.simulation.aws import ACCOUNT, REGION
from tests.simulation.system_under_test import settings
from tests.strict_aws.call import read_call
from tests.strict_aws.gateway import answer_faults
from tests.strict_aws.judge import Judge, judge_of

__all__ = ["answer_faults", "faults", "judge", "judge_with"]


@cache
def judge() -> Judge:
    """Return the one judge of this process, which remembers what was needed."""
    return judge_with(translated())


def judge_with(template: Template) -> Judge:
    """Return a judge of the simulated stack as this template makes it."""
    environment = {name.upper(): str(value) for name, value in settings().model_dump().items()}
    return judge_of(template, environment, ACCOUNT, REGION)


def faults(function: str, request: AWSPreparedRequest) -> list[str]:
    """Return what AWS would reject of the request that this function sends."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    body = request.body or b""
    return judge().faults(function, read_call(headers, body.encode() if isinstance(body, str) else bytes(body)))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
