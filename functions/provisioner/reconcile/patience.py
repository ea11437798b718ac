"""Wait a moment for the holder of a lease: it may be observing just what the waiting request needs."""

import random
import time
from collections.abc import Callable, Sequence

from provisioner.contract.errors import RetryLater

PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6)
"""A holder works for about a second. A request that waits longer than these pauses is deferred."""


def turn_or_answer[Turn, Answer](
    take_turn: Callable[[], Turn],
    answer: Callable[[], Answer | None],
    is_free: Callable[[], bool],
    pauses: Sequence[float],
) -> Turn | Answer:
    """Take the turn, or wait for it and for the answer of its holder. Raises ``RetryLater`` if both take too long.

    While the turn is taken, only reads are sent, after pauses of random length: a crowd that waits for one item never
    writes to it all at once.
    """
    try:
        return take_turn()
    except RetryLater:
        if not pauses:
            raise
    for pause in pauses:
        time.sleep(random.uniform(pause / 2, pause * 1.5))  # noqa: S311
        if found := answer():
            return found
        if is_free():
            break
    return take_turn()
