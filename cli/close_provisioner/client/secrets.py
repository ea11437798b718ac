"""Stores the secrets of tenants and sources with the operator's own permissions. No secret is read, but of sources."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from close_provisioner.errors import NotFound, Unexpected
from close_provisioner.stack.aws_errors import aws_errors
from close_provisioner.stack.which import Stack

PENDING, CURRENT = "AWSPENDING", "AWSCURRENT"


@dataclass(frozen=True, slots=True)
class SecretState:
    """The parts that exist of a secret. ``is_stored``: it has a value in use."""

    exists: bool
    is_stored: bool = False
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SecretStore:
    """The secrets below one prefix of a stack."""

    stack: Stack
    prefix: str

    def state(self, name: str) -> SecretState:
        """Return what exists of a secret."""
        with aws_errors("secretsmanager:DescribeSecret", self._id(name)):
            try:
                found = self._client.describe_secret(SecretId=self._id(name))
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return SecretState(exists=False)
                raise
        stages = [stage for each in found.get("VersionIdsToStages", {}).values() for stage in each]
        return SecretState(exists=True, is_stored=CURRENT in stages, deleted_at=found.get("DeletedDate"))

    def create(self, name: str, value: str) -> None:
        """Create a secret, whose value is in use at once."""
        with aws_errors("secretsmanager:CreateSecret", self._id(name)):
            self._client.create_secret(Name=self._id(name), SecretString=value)

    def stage(self, name: str, value: str) -> str:
        """Store a value that is not in use yet, so that it can be checked. Return its version.

        The secret must have a value already: AWS puts the first one into use at once.
        """
        with aws_errors("secretsmanager:PutSecretValue", self._id(name)):
            stored = self._client.put_secret_value(SecretId=self._id(name), SecretString=value, VersionStages=[PENDING])
        return str(stored["VersionId"])

    def unstage(self, name: str, version: str) -> None:
        """Let go of a staged value. AWS deletes a version without a stage."""
        with aws_errors("secretsmanager:UpdateSecretVersionStage", self._id(name)):
            try:
                self._client.update_secret_version_stage(
                    SecretId=self._id(name), VersionStage=PENDING, RemoveFromVersionId=version
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "InvalidParameterException":  # the stage is on another version
                    raise

    def put(self, name: str, value: str) -> None:
        """Store a value and put it into use."""
        with aws_errors("secretsmanager:PutSecretValue", self._id(name)):
            self._client.put_secret_value(SecretId=self._id(name), SecretString=value)

    def delete(self, name: str, days: int) -> datetime | None:
        """Schedule the deletion, and return its time. 0 days: at once, for a secret that was made for a check."""
        given: dict[str, Any] = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
        with aws_errors("secretsmanager:DeleteSecret", self._id(name)):
            deleted = self._client.delete_secret(SecretId=self._id(name), **given)
        when = deleted.get("DeletionDate")
        return when if isinstance(when, datetime) else None

    def signing_secrets(self, name: str) -> list[str]:
        """Return the active signing secrets of a source, to add one. They are never shown."""
        with aws_errors("secretsmanager:GetSecretValue", self._id(name)):
            text = self._client.get_secret_value(SecretId=self._id(name))["SecretString"]
        try:
            found = json.loads(text)["secrets"]
        except (ValueError, KeyError, TypeError):
            raise Unexpected(f'The secret {self._id(name)} is not {{"secrets": […]}}. Store it again.') from None
        return [str(each) for each in found]

    def put_signing_secrets(self, name: str, secrets: Sequence[str]) -> None:
        """Store the active signing secrets of a source."""
        self.put(name, _document(secrets))

    def require(self, name: str, what: str) -> None:
        """Raise ``NotFound`` if no value is in use."""
        if not self.state(name).is_stored:
            raise NotFound(f"{what} {name} has no secret {self._id(name)}.")

    def create_signing_secret(self, name: str, secret: str) -> None:
        """Create the secret of a source."""
        self.create(name, _document([secret]))

    @property
    def _client(self) -> Any:
        return self.stack.client("secretsmanager")

    def _id(self, name: str) -> str:
        return f"{self.prefix}/{name}"


def _document(secrets: Sequence[str]) -> str:
    return json.dumps({"secrets": list(secrets)})
