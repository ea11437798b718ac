"""The secrets below a prefix, by name, without their values."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

PAGE = 100  # the most that Secrets Manager lists at once


class ListedSecret(NamedTuple):
    """A secret. ``name``: below the prefix."""

    name: str
    created_at: datetime | None
    changed_at: datetime | None


class UnknownToken(Exception):
    """The token is not that of a page before."""


class Inventory(NamedTuple):
    """The secrets. Raises ``botocore.exceptions.ClientError`` or ``BotoCoreError`` when Secrets Manager fails.

    Those that are marked for deletion are left out.
    """

    secretsmanager: Any
    prefix: str

    def page(self, size: int, token: str | None = None) -> tuple[list[ListedSecret], str | None]:
        """Return some of the secrets, and the token of the next page. Raises ``UnknownToken``."""
        start = f"{self.prefix}/"
        query = {"NextToken": token} if token else {}
        try:
            response = self.secretsmanager.list_secrets(
                MaxResults=size, Filters=[{"Key": "name", "Values": [start]}], SortOrder="asc", **query
            )
        except ClientError as error:
            if token and error.response["Error"]["Code"] in {"InvalidNextTokenException", "ValidationException"}:
                raise UnknownToken from None
            raise
        rows = [each for each in response["SecretList"] if str(each["Name"]).startswith(start)]
        listed = [
            ListedSecret(
                str(each["Name"]).removeprefix(start),
                each.get("CreatedDate"),
                each.get("LastChangedDate") or each.get("CreatedDate"),
            )
            for each in rows
            if "DeletedDate" not in each
        ]
        return listed, response.get("NextToken")

    def first(self, most: int) -> Iterator[ListedSecret]:
        """Yield as many secrets."""
        token: str | None = None
        while most > 0:
            listed, token = self.page(min(most, PAGE), token)
            yield from listed
            most -= PAGE
            if token is None:
                return
