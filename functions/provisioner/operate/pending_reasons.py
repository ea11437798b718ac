"""Every reason why a request waits, with its meaning and what to do. The runbook's table is generated from it. Pure.

"…" in a text stands for a value that is filled in.
"""

import re
from typing import NamedTuple

LOST = "a response was lost; or one was lost a moment ago, to another request in the same batch"
NOTHING_FOR_MINUTES = "nothing: the service observes, and settles after two to four minutes"


class PendingReason(NamedTuple):
    """Reasons with one meaning. ``texts``: as the service writes them. ``suffix``: what each of them may end in.

    ``what_to_do`` may contain ``{tenant}``.
    """

    texts: tuple[str, ...]
    means: str
    what_to_do: str
    suffix: str = ""

    def matches(self, reason: str) -> bool:
        """Return whether the reason is one of these; a stored one may be cut."""
        return any(_pattern(text, self.suffix).match(reason) for text in self.texts)


PENDING_REASONS = (
    PendingReason(
        (
            "Close rate-limited this tenant (429)",
            "Close asked this service to pause for this tenant (429)",
            "Close asked this service to pause for this organization (429)",
            "Close's rate limit is exhausted",
        ),
        "the tenant's rate limit",
        "nothing: it continues when Close allows. For hours: another client uses up the limit of the tenant's key",
    ),
    PendingReason(
        (
            "the write was sent, but its response was lost (…)",
            "Close returned … to a write, which may or may not have happened",
            "Close returned … to a write, without the written resource",
        ),
        LOST,
        NOTHING_FOR_MINUTES,
        suffix="…; waiting until Close's list is sure to show it",
    ),
    PendingReason(
        ("a create whose response was lost is not visible at Close yet",),
        "the same, observed once; or a function was killed",
        "nothing: settled after two to four minutes",
    ),
    PendingReason(
        ("another request may just have created what looks like this one's own, renamed",),
        "a create is in doubt, and another request holds the lease of something that differs only in its name",
        "nothing: a minute and a half at most",
    ),
    PendingReason(
        ("Close does not show yet what this service just created",),
        "list lag",
        "nothing: a minute at most (`ListLagSeconds`)",
    ),
    PendingReason(
        ("an earlier change of the same may still take effect at Close, or not show there yet",),
        "an update was sent and its response was lost, or a function was killed: a late one must not undo a newer one. "
        "Or choices were just changed: they are written as a whole, and only from a list that shows the last change",
        "nothing: settled after one to four minutes",
    ),
    PendingReason(
        ("the type or field to update no longer exists (404)",),
        "the type or field was deleted in the meantime",
        "nothing: the service observes and plans again",
    ),
    PendingReason(
        (
            "Close's list … has an unexpected format",
            "Close's list … contains an unreadable entry",
            "Close's list … does not end",
            "Close's lists of types and of fields do not show the same fields",
            "Close returned an unreadable type",
            "Close returned an unreadable field",
        ),
        "Close does not respond as documented. The service writes nothing on such evidence",
        "for minutes: nothing. For longer: check status.close.com; if Close is well, its API has changed. "
        "Please report it",
    ),
    PendingReason(
        ("Close could not be reached (…)", "Close returned …"),
        "Close, or the network to it, is down",
        "check status.close.com, and `CloseApiUrl` if no tenant succeeds. It continues by itself",
    ),
    PendingReason(
        ("too little time is left in this run",),
        "a request with many fields, or a slow Close",
        "nothing: the next run continues at once",
    ),
    PendingReason(
        ("the tenant's credential was renewed",),
        "the old key was rejected, and the secret holds another one",
        "nothing: it starts again at once",
    ),
    PendingReason(
        ("another worker found another organization for this tenant",),
        "the tenant's secret was changed during its first requests",
        "nothing: seconds",
    ),
    PendingReason(
        ("the tenant was moved to another organization meanwhile",),
        "the tenant's secret was changed while one of its requests ran",
        "nothing: seconds",
    ),
    PendingReason(
        ("the request was forgotten, because its tenant was",),
        "its tenant was forgotten while one of its messages was still under way",
        "nothing: it starts again as a new request, which waits for its tenant's credential",
    ),
    PendingReason(
        ("Tenant … has no credential. Ask the operator of this service to store one.",),
        "a signup waits for its tenant's credential, for `TenantWaitDays`",
        "store its key, which starts the request at once: `close-provisioner tenants add {tenant}`. (A secret that is "
        "stored in another way is noticed at once where a CloudTrail trail is on, else within three hours.) If the "
        "tenant must not exist: nothing, the request fails as `tenant-not-found`",
    ),
    PendingReason(
        ("the tenant's credential could not be read: …",),
        "Secrets Manager fails, with this error",
        "check the AWS Health Dashboard. It continues by itself",
    ),
    PendingReason(
        (
            "another request is working on this …",
            "another run has the lease, or had it in the meantime",
            "another request is writing to the ledger",
            "the lease was lost",
        ),
        "two requests want the same type or shared field; after a kill, its lease has to expire (90 s)",
        "nothing: seconds. If a request says so for ten minutes and none settles, it is a defect. Please report it",
    ),
)
"""In the order in which a reason is looked up: the last ones match more texts."""


def find(reason: str) -> PendingReason | None:
    """Return the meaning of a stored reason."""
    return next((each for each in PENDING_REASONS if each.matches(reason)), None)


def _pattern(text: str, suffix: str) -> re.Pattern[str]:
    exact, end = (re.escape(each).replace("…", ".*") for each in (text, suffix.removeprefix("…")))
    return re.compile(f"{exact}(?:{end})?$" if suffix else f"{exact}$", re.DOTALL)
