"""The items about a tenant as a whole: the organization that it works in, and those that can be forgotten."""

from collections.abc import Iterable
from typing import NamedTuple

from botocore.exceptions import ClientError

from provisioner.ledger import bindings, items
from provisioner.ledger.conflicts import conflicting_item
from provisioner.ledger.in_doubt import SENT_RETENTION_SECONDS
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

    def forget_tenant(self, tenant: str) -> bool:
        """Delete its waitlist, and remember its organization as an earlier one, as long as the ledger knows senders.

        A function may still hold its credential, and work on a request that arrived just now. Return False if the
        tenant was bound to an organization meanwhile.
        """
        self.ledger.dynamodb.delete_item(TableName=self.ledger.table, Key=items.attributes({"pk": f"WAITING#{tenant}"}))
        known = self.ledger.tenant(tenant)
        if known == TenantRecord(tenant):
            return True
        until = self.ledger.clock() + SENT_RETENTION_SECONDS
        try:
            self.ledger.dynamodb.update_item(**bindings.unbind_input(self.ledger.table, known, until))
        except ClientError as error:
            conflicting_item(error)
            return False
        return True
