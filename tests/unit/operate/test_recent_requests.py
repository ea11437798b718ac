"""Of a request and its retries, one line says whether a person is needed."""

from typing import Any

import pytest

from provisioner.ledger.request_lists import ListedRequest
from provisioner.operate.recent_requests import unsolved

FIRST = ListedRequest("1", "acme", "r-1", 1.0, "Account", result="failed", problem="plan-limit")
RETRY = FIRST._replace(id="2", request_id="r-1.retry-1", accepted_at=2.0, retry_of="1")
OF_RETRY = RETRY._replace(id="3", request_id="r-1.retry-1.retry-1", accepted_at=3.0, retry_of="2")
AGAIN = RETRY._replace(id="4", request_id="r-1.retry-2", accepted_at=4.0)
OTHER = FIRST._replace(id="9", request_id="r-9", accepted_at=9.0)
CREATED: dict[str, Any] = {"result": "created", "problem": None}
WAITS: dict[str, Any] = {"result": None, "problem": None}


@pytest.mark.parametrize(
    ("requests", "needed"),
    [
        ([], []),
        ([FIRST], ["1"]),
        ([FIRST._replace(**CREATED)], []),
        ([OTHER, FIRST], ["9", "1"]),
        ([RETRY, FIRST._replace(retried_as="2")], ["2"]),
        ([RETRY._replace(**CREATED), FIRST._replace(retried_as="2")], []),
        ([RETRY._replace(**WAITS), FIRST._replace(retried_as="2")], []),
        ([AGAIN._replace(**CREATED), RETRY, FIRST._replace(retried_as="4")], []),
        ([AGAIN._replace(**CREATED), OF_RETRY, RETRY._replace(retried_as="3"), FIRST._replace(retried_as="4")], []),
        ([OF_RETRY, RETRY._replace(retried_as="3"), FIRST._replace(retried_as="2")], ["3"]),
        ([FIRST._replace(retried_as="another day's")], []),
        ([RETRY], ["2"]),
        ([AGAIN, RETRY], ["4"]),
    ],
)
def test_a_family_of_retries_needs_a_person_until_one_succeeds(
    requests: list[ListedRequest], needed: list[str]
) -> None:
    assert [each.id for each in unsolved(requests)] == needed
