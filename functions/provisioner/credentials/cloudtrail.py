"""Find the tenants that a CloudTrail event about Secrets Manager affects. Pure.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieve-ct-entries.html: the parameters of the call hold
the secret's name or its ARN. An ARN ends in the name, a hyphen and six random characters.
"""

import re
from collections.abc import Mapping
from typing import Any

from provisioner.contract.request import valid_identifier_or

SECRET_WRITE_EVENTS = {"CreateSecret", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RestoreSecret"}
"""The calls that may change the value of a secret."""

ARN = re.compile(r"arn:[^:]+:secretsmanager:[^:]*:[^:]*:secret:(.+)")
SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


def tenants_affected_by(detail: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the tenants whose secret it may be. The end of an ARN may be a random suffix or a part of the name."""
    if detail.get("eventName") not in SECRET_WRITE_EVENTS or detail.get("errorCode"):
        return []
    parameters = detail.get("requestParameters") or {}
    named = parameters.get("name") or parameters.get("secretId") or ""
    arn = ARN.fullmatch(str(named))
    names = [arn[1], arn[1][:-7]] if arn and SUFFIX.fullmatch(arn[1][-7:]) else [arn[1] if arn else str(named)]
    tenants = [name.removeprefix(f"{prefix}/") for name in names if name.startswith(f"{prefix}/")]
    return [tenant for tenant in tenants if valid_identifier_or(tenant, "")]
