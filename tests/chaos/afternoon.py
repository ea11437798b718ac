"""The afternoon handler (tests/bench/afternoon_handler.py), to be deployed in the place of all three functions.

With byte code, so that slow cold starts do not count against it, and with the one permission more that Powertools'
idempotency needs: it deletes its record when the handler fails.
"""

from tests.bench.installations import compiled
from tests.chaos.stage import Code


def afternoon() -> Code:
    return Code(compiled(), "afternoon_handler.lambda_handler", ("dynamodb:DeleteItem",))
