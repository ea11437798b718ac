"""Find the request that a call is about."""

import re

from provisioner.contract.errors import ProblemType, Rejected
from provisioner.ledger.models import RequestRecord
from provisioner.ledger.store import Ledger

REQUEST_KEY = re.compile(r"[0-9a-f]{32}")


def find_request(ledger: Ledger, request_key: str) -> RequestRecord:
    """Return the request with this id. Raises ``Rejected`` (REQUEST_NOT_FOUND)."""
    found = ledger.find(request_key) if REQUEST_KEY.fullmatch(request_key) else None
    if found is None:
        raise Rejected(ProblemType.REQUEST_NOT_FOUND, "No request has this id, or its retention has ended.")
    return found
