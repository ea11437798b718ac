"""Errors say what is now true of Close; one function in each door turns them into acknowledge, wait or retry.

    ProvisioningError
    ├── Refused        it is not there and this request will never make it: final, carries the Problem to announce
    ├── NotCreated     it is not there, and may be later: nothing reached Close, or Close could not be read
    ├── Busy           somebody asked us to wait: a rate limit, another holder of the lease, the list's lag
    └── MaybeCreated   a create was sent and its answer got lost: nobody knows

No text in here may hold a credential: every ``detail`` ends up in logs and in outcomes.
"""

from enum import Enum

from provisioner.contract.strict_model import StrictModel


class ErrorDetail(StrictModel):
    """One fault of a body. ``pointer`` is a JSON pointer (RFC 6901) into the request's body, "" for the whole of it."""

    pointer: str
    detail: str


class Problem(StrictModel):
    """Why a request failed: an RFC 9457 problem. ``type`` is stable, ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    close_status: int | None = None
    errors: tuple[ErrorDetail, ...] = ()


class ProblemType(Enum):
    """Every problem that a caller can meet: its stable name, its title, its HTTP status."""

    INVALID_REQUEST = ("invalid-request", "The request is not valid", 400)
    NOT_FOUND = ("not-found", "There is nothing here", 404)
    METHOD_NOT_ALLOWED = ("method-not-allowed", "This method is not allowed here", 405)
    BODY_TOO_LARGE = ("body-too-large", "The body is too large", 413)
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", "The body must be JSON", 415)
    REQUEST_NOT_FOUND = ("request-not-found", "No such provisioning request", 404)
    REQUEST_CONFLICT = ("request-conflict", "The request id was used for other content", 422)
    SOURCE_NOT_FOUND = ("source-not-found", "No such source", 404)
    INVALID_SIGNATURE = ("invalid-signature", "The delivery is not signed as it must be", 401)
    INVALID_EVENT = ("invalid-event", "The event cannot be understood", 422)
    TENANT_NOT_FOUND = ("tenant-not-found", "No such tenant", 404)
    TYPE_EXISTS = ("type-exists", "The Custom Object Type exists already", 409)
    BLOCKED = ("blocked", "What is wanted would have to destroy something in Close", 409)
    PLAN_STALE = ("plan-stale", "Close does not look as it did when this was planned", 409)
    ROLE_NOT_FOUND = ("role-not-found", "The organization has no such role", 422)
    REFERENCE_NOT_FOUND = ("reference-not-found", "The organization has no such type to refer to", 422)
    SPEC_REJECTED = ("spec-rejected", "Close refused what was wanted", 422)
    CREDENTIAL_UNREADABLE = ("credential-unreadable", "The tenant's stored credential cannot be used", 424)
    CREDENTIAL_REJECTED = ("credential-rejected", "Close does not accept the tenant's credential", 424)
    PLAN_LIMIT = ("plan-limit", "The tenant's Close plan does not allow it", 424)
    PERMISSION_MISSING = ("permission-missing", "The tenant's credential lacks a permission in Close", 424)
    CLOSE_MISCONFIGURED = ("close-misconfigured", "Close did not answer as its API does", 424)
    WRONG_ORGANIZATION = ("wrong-organization", "The credential belongs to another organization", 424)
    DEADLINE_EXCEEDED = ("deadline-exceeded", "It could not be finished in the time allowed", 504)
    UNRESOLVED = ("unresolved", "It is not known whether the type was created", 504)
    UNAVAILABLE = ("unavailable", "The service cannot take requests at the moment", 503)

    @property
    def uri(self) -> str:
        return f"urn:close-provisioner:problem:{self.value[0]}"


def make_problem(
    kind: ProblemType, detail: str, *, close_status: int | None = None, errors: tuple[ErrorDetail, ...] = ()
) -> Problem:
    _, title, status = kind.value
    return Problem(type=kind.uri, title=title, status=status, detail=detail, close_status=close_status, errors=errors)


class ProvisioningError(Exception):
    """What is now true of Close, for whoever called."""


class Rejected(ProvisioningError):
    """It is not there, and this request will never make it. Final: nobody tries again."""

    def __init__(
        self, kind: ProblemType, detail: str, *, close_status: int | None = None, errors: tuple[ErrorDetail, ...] = ()
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.problem = make_problem(kind, detail, close_status=close_status, errors=errors)

    def below(self, pointer: str) -> "Rejected":
        """The same, its pointers from the root of the request's body; they were from what was sent."""
        errors = tuple(
            ErrorDetail(pointer=f"{pointer}{each.pointer}", detail=each.detail) for each in self.problem.errors
        )
        return Rejected(self.kind, str(self), close_status=self.problem.close_status, errors=errors)


class Unavailable(ProvisioningError):
    """It is not there, and may be later. Whoever catches this chooses when to try again."""


class RetryLater(ProvisioningError):
    """Somebody asked us to wait ``seconds``."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class RateLimited(RetryLater):
    """Close asked not to be called for this tenant for ``seconds`` (429): every worker must obey."""


class OutcomeUnknown(ProvisioningError):
    """A write was sent and its answer got lost, or cannot be read. A create must not be sent again before a look."""
