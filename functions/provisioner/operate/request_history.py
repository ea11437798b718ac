"""One request with everything that is known of it: its attempts, its outcome, why it is so, and what to do next."""

import json
from typing import NamedTuple

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.ledger import history, items
from provisioner.ledger.models import RequestState
from provisioner.ledger.request_lists import listed
from provisioner.ledger.store import Ledger
from provisioner.operate.call import Answer, Call, only_known
from provisioner.operate.explain import explain
from provisioner.operate.records import REQUEST_KEY
from provisioner.operate.request_filter import State
from provisioner.operate.request_pages import rfc3339, summary

STATES = {
    RequestState.ACCEPTED: State.WAITING,
    RequestState.SETTLED: State.SETTLED,
    RequestState.ANNOUNCED: State.ANNOUNCED,
}


class RequestHistory(NamedTuple):
    """The histories of requests."""

    ledger: Ledger

    def show(self, call: Call) -> Answer:
        """Return the request. Raises ``Rejected`` (REQUEST_NOT_FOUND), also if the path names another tenant."""
        only_known(call.query, ())
        request_key = call.path["id"]
        is_key = REQUEST_KEY.fullmatch(request_key)
        item = self.ledger.get(items.request_item_key(request_key)) if is_key else {}
        if not item or call.path.get("tenant") not in {None, item["tenant"]["S"]}:
            raise Rejected(ProblemType.REQUEST_NOT_FOUND, "No request has this id, or its retention has ended.")
        retry_key = items.text_of(item, "retried_as")
        retry = self.ledger.get(items.request_item_key(retry_key)) if retry_key else {}
        return shown(item, retry)


def shown(item: items.Item, retry: items.Item | None = None) -> Answer:
    """Return a request's item as the operator sees it. ``retry``: the item of its latest retry."""
    request, outcome = listed(item), items.outcome_of(item)
    state = STATES[RequestState(item["state"]["S"])]
    return {
        **summary(request, state),
        "history": [_attempt(history.parse(each)) for each in items.texts_of(item, "history")],
        "body": json.loads(item["body"]["S"]),
        "outcome": outcome and outcome.as_json(),
        "explanation": explain(request, state, outcome, listed(retry) if retry else None)._asdict(),
        "retained_until": rfc3339(items.number_of(item, "expires_at")),
    }


def _attempt(attempt: history.Attempt) -> Answer:
    return {
        "attempt": attempt.number,
        "started_at": rfc3339(attempt.started_at),
        "ms": attempt.ms,
        **attempt.invocation._asdict(),
        "calls": [dict(zip(("method", "path", "status", "ms", "error"), each, strict=True)) for each in attempt.calls],
        "omitted_calls": attempt.omitted,
        "ended": attempt.ended,
        "reason": attempt.reason,
        "seconds": attempt.seconds,
    }
