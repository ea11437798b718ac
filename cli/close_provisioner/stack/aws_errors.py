"""Errors of AWS as one sentence that says what is missing, and who can give it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from close_provisioner.errors import CommandError, Misused, NotAllowed, NotFound, Unexpected

NO_CREDENTIALS = "No AWS credentials were found here. Sign in (aws sso login), or set AWS_PROFILE or --profile."
EXPIRED = "The AWS credentials have expired. Sign in again (aws sso login)."
NO_REGION = "No AWS region is set. Set AWS_REGION, a region in the profile, or --region."
DENIED = re.compile(r"User: (?P<who>\S+) is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<on>\S+))?")
DENIED_CODES = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
INVALID_CODES = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}


@contextmanager
def aws_errors(action: str, resource: str) -> Iterator[None]:
    """Raise every error of AWS as one of this command's. ``action`` and ``resource``: the permission it takes."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise explained(error, action, resource) from error


def explained(error: Any, action: str, resource: str) -> CommandError:
    """Return the error in one sentence."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return NotAllowed(NO_CREDENTIALS)
        case UnauthorizedSSOTokenError() | TokenRetrievalError() | SSOError():
            return NotAllowed(EXPIRED)
        case ProfileNotFound():
            return Misused(f"{error}. `aws configure list-profiles` lists the profiles.")
        case NoRegionError():
            return Misused(NO_REGION)
        case ClientError():
            return _of_response(error.response.get("Error", {}), action, resource)
    return Unexpected(f"AWS did not respond to {action} ({type(error).__name__}): {error}")


def _of_response(error: dict[str, str], action: str, resource: str) -> CommandError:
    code, message = error.get("Code", ""), error.get("Message", "")
    if code in EXPIRED_CODES:
        return NotAllowed(EXPIRED)
    if code in INVALID_CODES:
        return NotAllowed(f"AWS does not know these credentials ({code}). Check AWS_PROFILE and the account.")
    if code in DENIED_CODES:
        return not_allowed(message, action, resource)
    if code in {"ResourceNotFoundException", "ResourceNotFound"}:
        return NotFound(f"{resource} does not exist.")
    return Unexpected(f"AWS refused {action} on {resource} ({code}): {message}")


def not_allowed(message: str, action: str, resource: str) -> NotAllowed:
    """Return the error for a denial. AWS's message names caller, action and resource, if it says anything."""
    found = DENIED.search(message)
    who = found["who"] if found else "These credentials"
    action = found["action"] if found else action
    on = (found["on"] if found else None) or resource
    return NotAllowed(f"{who} may not {action} on {on.rstrip('.')}. An administrator of the AWS account can allow it.")
