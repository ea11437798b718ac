"""Which secret a call to Secrets Manager was about, as CloudTrail tells it over EventBridge. Pure.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieve-ct-entries.html: the call's parameters hold the
secret's name, or its ARN: the name, a hyphen and six characters of AWS's choice at the end.
"""

import re
from collections.abc import Mapping
from typing import Any

from provisioner.contract.request import valid_identifier_or

SECRET_WRITE_EVENTS = {"CreateSecret", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "RestoreSecret"}
"""The calls after which a secret may hold what it did not hold before."""

ARN = re.compile(r"arn:[^:]+:secretsmanager:[^:]*:[^:]*:secret:(.+)")
SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


def tenants_affected_by(detail: Mapping[str, Any], prefix: str) -> list[str]:
    """The tenants whose secret it may be, below that prefix: an ARN's end may be a suffix or a part of the name."""
    if detail.get("eventName") not in SECRET_WRITE_EVENTS or detail.get("errorCode"):
        return []
    parameters = detail.get("requestParameters") or {}
    named = parameters.get("name") or parameters.get("secretId") or ""
    arn = ARN.fullmatch(str(named))
    names = [arn[1], arn[1][:-7]] if arn and SUFFIX.fullmatch(arn[1][-7:]) else [arn[1] if arn else str(named)]
    tenants = [name.removeprefix(f"{prefix}/") for name in names if name.startswith(f"{prefix}/")]
    return [tenant for tenant in tenants if valid_identifier_or(tenant, "")]
