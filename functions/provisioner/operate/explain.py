"""Why a request is in its present state, and what to do next: each state, result, problem and reason to wait. Pure.

Its sentences are for the operator, in lists, in the history of a request, and in the console.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from provisioner.contract.errors import ProblemType
from provisioner.contract.outcome import Outcome, Result, TypeOutcome
from provisioner.ledger.request_lists import ListedRequest
from provisioner.operate.pending_reasons import find
from provisioner.operate.request_filter import State

NOTHING = "Nothing to do."
RETRY = "then retry it: close-provisioner requests retry {id}"


class Explanation(NamedTuple):
    """The explanation of a request. ``next``: what to do, or that nothing is to be done."""

    because: str
    next: str


MAX_NAMES = 5  # in one sentence

SUCCEEDED = {
    Result.CREATED: "It did not exist, and this request created it.",
    Result.RECOVERED: "This request created it. A response of Close was lost, and it was found in Close later.",
    Result.UPDATED: "It existed, and this request changed it.",
    Result.UNCHANGED: "It existed and matched, so nothing was written.",
    Result.ADOPTED: "It existed and differs. Nothing was written.",
}
OF_SEVERAL = {
    Result.CREATED: "Created",
    Result.RECOVERED: "Created, and found in Close after a lost response",
    Result.UPDATED: "Changed",
    Result.ADOPTED: "There already, and different",
    Result.UNCHANGED: "There already",
}
TO_UPDATE = "To make it match, send a new request with if_exists update. A plan shows first what that changes."
TO_UNBLOCK = (
    "The rest cannot be changed without a loss: the caller asks for what Close has, or an administrator of the Close "
    "organization changes it by hand."
)
TO_RENAME = "A renamed type is never written to: the caller asks for it by its present name."
CALLER = "The caller fixes the request, and sends it under a new id."
PROBLEMS = {
    ProblemType.INVALID_REQUEST: ("The body is not a valid request.", CALLER),
    ProblemType.NOT_FOUND: ("The route does not exist.", CALLER),
    ProblemType.METHOD_NOT_ALLOWED: ("The route has no such method.", CALLER),
    ProblemType.BODY_TOO_LARGE: ("The body is larger than 256 KiB.", CALLER),
    ProblemType.UNSUPPORTED_MEDIA_TYPE: ("The body was not sent as JSON.", CALLER),
    ProblemType.REQUEST_NOT_FOUND: ("No request has this id, or its retention has ended.", CALLER),
    ProblemType.REQUEST_CONFLICT: ("The request id was used before, with other content.", CALLER),
    ProblemType.SOURCE_NOT_FOUND: (
        "The source does not exist, or has no secret.",
        "The operator stores the secret of the source, or corrects the URL at the sender.",
    ),
    ProblemType.INVALID_SIGNATURE: (
        "The delivery is not signed with an active secret, or its timestamp is too old.",
        "The operator compares the secret at the sender with the stored one. The sender delivers again.",
    ),
    ProblemType.INVALID_EVENT: (
        "A genuine event of a sender does not yield a request.",
        "The operator fixes the mapping of the source, or the sender its data; then the sender resends the event.",
    ),
    ProblemType.TENANT_NOT_FOUND: (
        "The tenant has no credential, or one that is marked for deletion.",
        f"The operator stores its key: close-provisioner tenants add {{tenant}}; {RETRY}",
    ),
    ProblemType.TYPE_EXISTS: (
        "A type of this name exists, and if_exists is fail.",
        "The caller decides: a new request with if_exists adopt keeps it, update completes it.",
    ),
    ProblemType.BLOCKED: (
        "Close could make the change only by deleting something, which this service never does.",
        "The caller changes the spec, changes Close by hand, or sends a new request that has "
        '"allow_partial": true at the top level of its body.',
    ),
    ProblemType.PLAN_STALE: (
        "Close or the request changed after the plan was made.",
        "The caller reads the new plan in the outcome, and sends a new request with its digest.",
    ),
    ProblemType.ROLE_NOT_FOUND: ("The organization has no such role, or several of this name.", CALLER),
    ProblemType.REFERENCE_NOT_FOUND: (
        "A field refers to a type that does not exist.",
        "The caller creates that type first, or adds it to the request, and sends a new one.",
    ),
    ProblemType.SPEC_REJECTED: ("Close rejected the spec. Its messages point at the fault.", CALLER),
    ProblemType.CREDENTIAL_UNREADABLE: (
        "The tenant's stored secret is not a key, not valid JSON, or not accessible.",
        f"The operator stores the key again: close-provisioner tenants rotate {{tenant}}; {RETRY}",
    ),
    ProblemType.CREDENTIAL_REJECTED: (
        "Close rejected the tenant's key: it is wrong or revoked.",
        "An administrator of the Close organization makes a new key. The operator stores it: "
        f"close-provisioner tenants rotate {{tenant}}; {RETRY}",
    ),
    ProblemType.PLAN_LIMIT: (
        "The organization's plan at Close does not allow it.",
        f"The owner of the Close organization raises its plan, or removes types that are not needed; {RETRY}",
    ),
    ProblemType.PERMISSION_MISSING: (
        "The role of the key's user lacks a permission in Close.",
        f"An administrator of the Close organization gives the role permission to manage customizations; {RETRY}",
    ),
    ProblemType.CLOSE_MISCONFIGURED: (
        "The response does not come from the Close API.",
        f"The operator corrects the parameter CloseApiUrl and deploys; {RETRY}",
    ),
    ProblemType.WRONG_ORGANIZATION: (
        "The key opens another organization than the tenant's.",
        f"The operator stores a key of the right organization: close-provisioner tenants rotate {{tenant}}; {RETRY}",
    ),
    ProblemType.DEADLINE_EXCEEDED: (
        "It could not be finished in time. The detail names the last reason.",
        f"The operator looks whether Close is well now, {RETRY}",
    ),
    ProblemType.UNRESOLVED: (
        "A create was sent, its response was lost, and Close did not show its result: whether it exists is unknown.",
        "The operator looks in Close (the detail says where), and records the finding: "
        "close-provisioner requests resolve {id} --there --retry --reason WHY if it is there, else "
        "close-provisioner requests resolve {id} --not-there --retry --reason WHY",
    ),
    ProblemType.WRONG_STATE: (
        "The action does not fit the present state.",
        "The operator reads the detail, which says what to do first.",
    ),
    ProblemType.CONTRADICTED: (
        "The operator's finding does not agree with Close's lists, or came too early.",
        "The operator looks in Close again, and says it again later.",
    ),
    ProblemType.UNAVAILABLE: (
        "The service was unavailable for a moment.",
        "The caller sends it again with the same id.",
    ),
}


def explain(
    request: ListedRequest, state: State, outcome: Outcome | None = None, retry: ListedRequest | None = None
) -> Explanation:
    """Return the explanation. ``outcome``: that of a settled request. ``retry``: its latest retry, where it has one."""
    if state is State.WAITING:
        return _waiting(request)
    because, what_next = _settled(request, outcome)
    if retry:
        has_failed = retry.result in {Result.FAILED, Result.UNRESOLVED}
        told = f"It was retried as {retry.request_id}: {retry.result or 'waiting'}."
        what_next = f"{told} {what_next}" if has_failed else told
    if state is State.SETTLED:
        what_next = f"Its outcome is not published yet; the service repeats that by itself. {what_next}"
    return Explanation(because, what_next)


def _waiting(request: ListedRequest) -> Explanation:
    if not request.pending_reason:
        return Explanation(
            "It was accepted, and no attempt has ended yet.",
            "Nothing for now: an attempt begins within seconds. After ten minutes, look at the dead letters and at the "
            "worker's log.",
        )
    known = find(request.pending_reason)
    times = "once" if request.deferrals == 1 else f"{request.deferrals} times"
    means = f" That means: {known.means}." if known else ""
    what_to_do = known.what_to_do.replace("{tenant}", request.tenant) if known else "look at the worker's log"
    means, what_to_do = means.replace("`", ""), what_to_do.replace("`", "")  # the runbook's marks for code
    return Explanation(
        f"It waits, {times} so far: {request.pending_reason.rstrip('.')}.{means}", f"{_capitalized(what_to_do)}."
    )


def _settled(request: ListedRequest, outcome: Outcome | None) -> Explanation:
    result = Result(request.result or Result.UNRESOLVED)
    if result in SUCCEEDED:
        return _succeeded(result, outcome.types if outcome else ())
    detail = outcome.problem.detail if outcome and outcome.problem else None
    kind = next((each for each in PROBLEMS if each.value[0] == request.problem), None)
    if kind is None:
        return Explanation(detail or "It failed.", "Read the problem's detail.")
    because, what_next = PROBLEMS[kind]
    return Explanation(detail or because, what_next.format(id=request.id, tenant=request.tenant))


def _succeeded(result: Result, types: Sequence[TypeOutcome]) -> Explanation:
    """Explain a success. A part that Close has otherwise than desired is named, whatever the result is."""
    because = [SUCCEEDED[result]] if len(types) < 2 else list(_of_several(types))
    blocked = [each.described for of_type in types for each in of_type.blocked]
    differing = [each.field for of_type in types for each in of_type.differences]
    differing += [f"fields/{each.name}" for of_type in types for each in of_type.fields if each.result == "missing"]
    renamed = [f"{each.name!r} to {each.renamed!r}" for each in types if each.renamed]
    for heading, found in (("Different in Close", [*dict.fromkeys(differing)]), ("Renamed in Close", renamed)):
        because += [f"{heading}: {_enumerated(found)}."] if found else []
    because += [f"{_enumerated(blocked, '; ')}."] if blocked else []
    to_do = [sentence for sentence, found in ((TO_UNBLOCK, blocked), (TO_RENAME, renamed)) if found]
    to_do += [TO_UPDATE] if (differing and not renamed) or (result is Result.ADOPTED and not to_do) else []
    return Explanation(" ".join(because), " ".join(to_do) or NOTHING)


def _of_several(types: Sequence[TypeOutcome]) -> Iterator[str]:
    for result, heading in OF_SEVERAL.items():
        if names := [repr(each.name) for each in types if each.result is result]:
            yield f"{heading}: {_enumerated(names)}."


def _enumerated(names: Sequence[str], separator: str = ", ") -> str:
    more = "" if len(names) <= MAX_NAMES else f" and {len(names) - MAX_NAMES} more"
    return separator.join(names[:MAX_NAMES]) + more


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
