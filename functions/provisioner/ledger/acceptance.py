"""The records of requests that are accepted, from their items. Pure."""

from dataclasses import replace
from typing import NamedTuple

from provisioner.contract import truncation
from provisioner.contract.errors import ProblemType, Rejected
from provisioner.contract.outcome import Outcome
from provisioner.contract.request import ProvisioningRequest
from provisioner.ledger import items
from provisioner.ledger.history import Ending, Run, ended
from provisioner.ledger.models import RequestRecord, RequestState
from provisioner.ledger.unfinished import UNANNOUNCED_SECONDS


def fresh_record(put: items.Item) -> RequestRecord:
    """Return the record of a request that ``put`` just stored."""
    return replace(items.to_record(put["Item"]), fresh=True)


def known_record(item: items.Item, request: ProvisioningRequest, put: items.Item) -> RequestRecord:
    """Return the record of the item that ``put`` conflicts with. Raise ``Rejected`` if it is of other content."""
    # The SDK repeats a write whose response was lost. Then the conflicting item is this request's own.
    if items.text_of(item, "accept_token") == put["Item"]["accept_token"]["S"]:
        return fresh_record(put)
    record, fingerprint = items.to_record(item), request.fingerprint
    # A fingerprint that an older version stored may be computed otherwise today: only then is its body read.
    if fingerprint != item["fingerprint"]["S"] and fingerprint != record.accepted.fingerprint:
        detail = f"This tenant used request id {request.request_id!r} before, with other content. Use a new request id."
        raise Rejected(ProblemType.REQUEST_CONFLICT, detail)
    return record


class SettledAtOnce(NamedTuple):
    """The outcome of a request that is settled with its acceptance, and the attempt that yields it."""

    outcome: Outcome
    run: Run

    def attributes(self, now: float) -> items.Item:
        """Return the attributes that the accepted request has then."""
        outcome = truncation.for_ledger(self.outcome)
        return items.attributes(
            {
                "state": RequestState.SETTLED,
                "outcome": outcome.to_json(),
                "settled_as": items.settled_as_json(outcome),
                "due_at": now + UNANNOUNCED_SECONDS,
                "history": (ended(self.run, Ending(now, "settled")),),
            }
        )
