"""The mark of a request that a run begins to write for, and the settlement of one without it. Pure.

Both are conditional writes to one item, so one of them fails: no request settles from memory while its run writes.
"""

from provisioner.contract.errors import RetryLater
from provisioner.contract.outcome import Outcome
from provisioner.ledger import expressions, items
from provisioner.ledger.models import RequestRecord

FORGOTTEN_SECONDS = 2.0


def begin_input(table: str, record: RequestRecord) -> items.Item:
    """Record that a run of the request is about to write to Close, unless it is settled."""
    return expressions.if_still_accepted(table, record, "SET begun = :begun", {":begun": 1})


def unbegin_input(table: str, record: RequestRecord) -> items.Item:
    """Take the mark back: the run that set it sent nothing, and no earlier one began."""
    return expressions.if_still_accepted(table, record, "REMOVE begun")


def outcome_in(item: items.Item) -> Outcome:
    """Return the outcome of a request that cannot begin.

    Raises ``RetryLater`` for one that was forgotten meanwhile, and perhaps accepted again. Its message makes it a new
    request.
    """
    outcome = items.outcome_of(item) if item else None
    if outcome is None:
        raise RetryLater("the request was forgotten, because its tenant was", FORGOTTEN_SECONDS)
    return outcome


def settle_unbegun_input(table: str, record: RequestRecord, outcome: Outcome, now: float) -> items.Item:
    """Store the outcome, if no run of the request began to write."""
    request: items.Item = expressions.settle_input(table, record, outcome, (), now)["TransactItems"][0]["Update"]
    return request | {"ConditionExpression": f"{request['ConditionExpression']} AND attribute_not_exists(begun)"}
