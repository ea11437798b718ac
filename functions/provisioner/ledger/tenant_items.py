"""The items about a tenant as a whole: the organization that it works in, and those that can be forgotten."""

from collections.abc import Iterable
from typing import NamedTuple

from botocore.exceptions import ClientError

from provisioner.ledger import items
from provisioner.ledger.models import RequestState, TenantRecord
from provisioner.ledger.store import Ledger


class TenantItems(NamedTuple):
    """The items. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when DynamoDB fails."""

    ledger: Ledger

    def organizations(self, tenants: Iterable[str]) -> dict[str, list[str]]:
        """Return which of these tenants work in each organization."""
        found: dict[str, list[str]] = {}
        for tenant in tenants:
            if organization := self.ledger.tenant(tenant).organization:
                found.setdefault(organization, []).append(tenant)
        return found

    def of(self, tenant: str) -> TenantRecord:
        return self.ledger.tenant(tenant)

    def forget_request(self, request_key: str) -> bool:
        """Delete a request whose outcome is announced. Return False if it is not."""
        try:
            self.ledger.dynamodb.delete_item(
                TableName=self.ledger.table,
                Key=items.request_item_key(request_key),
                ConditionExpression="attribute_not_exists(pk) OR #state = :announced",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=items.attributes({":announced": RequestState.ANNOUNCED}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def forget_tenant(self, tenant: str) -> None:
        """Delete the record of its organization, and its waitlist."""
        for key in (items.tenant_item_key(tenant), items.attributes({"pk": f"WAITING#{tenant}"})):
            self.ledger.dynamodb.delete_item(TableName=self.ledger.table, Key=key)
