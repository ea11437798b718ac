"""The requests to DynamoDB that bind a tenant to the organization that its credential opens. Pure."""

from provisioner.ledger import items
from provisioner.ledger.models import TenantRecord


def bind_input(table: str, known: TenantRecord, organization: str) -> items.Item:
    """Remember the tenant's organization, if it is still the ``known`` one; the failure returns the existing item."""
    condition, values = still_bound(known)
    earlier = [each for each in known.organizations if each != organization]
    return {
        "TableName": table,
        "Key": items.tenant_item_key(known.tenant),
        "ConditionExpression": condition,
        "UpdateExpression": "SET organization = :organization, earlier = :earlier REMOVE expires_at",
        "ExpressionAttributeValues": items.attributes({**values, ":organization": organization, ":earlier": earlier}),
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def unbind_input(table: str, known: TenantRecord, expires_at: float) -> items.Item:
    """Forget the tenant's organization, but for the time in which a request may still have a create in doubt there."""
    condition, values = still_bound(known)
    values |= {":earlier": known.organizations, ":expires_at": int(expires_at)}
    return {
        "TableName": table,
        "Key": items.tenant_item_key(known.tenant),
        "ConditionExpression": condition,
        "UpdateExpression": "SET earlier = :earlier, expires_at = :expires_at REMOVE organization, not_before",
        "ExpressionAttributeValues": items.attributes(values),
    }


def still_bound(known: TenantRecord) -> tuple[str, dict[str, items.Plain]]:
    """Return the condition that the tenant is still bound to the ``known`` organization, and its values."""
    if known.organization is None:
        return "attribute_not_exists(organization)", {}
    return "organization = :known", {":known": known.organization}
