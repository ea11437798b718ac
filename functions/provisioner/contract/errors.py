"""The errors, by what they mean for the state of Close. Each handler turns them into acknowledge, wait or retry.

    ProvisioningError
    ├── Rejected         the call wrote nothing, and the request cannot succeed: final, with the Problem to publish
    ├── Unavailable      the call wrote nothing, and a later one may succeed: Close was not reached, or not readable
    ├── RetryLater       wait a stated time: another request holds the lease, or Close's list lags
    │   └── RateLimited  wait a stated time: Close returned 429
    └── OutcomeUnknown   a write was sent and its response was lost: it may or may not have happened

No message may contain a credential: each ``detail`` appears in logs and in outcomes.
"""

from collections.abc import Callable
from enum import Enum

from provisioner.contract.strict_model import OMITTED_IF_NULL, StrictModel


class ErrorDetail(StrictModel):
    """One fault of a request. ``pointer`` is a JSON pointer (RFC 6901) into its body, "" for the whole body."""

    pointer: str
    detail: str


class Problem(StrictModel):
    """Why a request failed: an RFC 9457 problem. ``type`` is stable, ``detail`` is for people."""

    type: str
    title: str
    status: int
    detail: str
    close_status: int | None = OMITTED_IF_NULL
    errors: tuple[ErrorDetail, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the type, such as ``plan-limit``."""
        return self.type.rpartition(":")[2]


class ProblemType(Enum):
    """Every problem that this service reports: its stable name, its title, its HTTP status."""

    INVALID_REQUEST = ("invalid-request", "The request is not valid", 400)
    NOT_FOUND = ("not-found", "Not found", 404)
    METHOD_NOT_ALLOWED = ("method-not-allowed", "Method not allowed", 405)
    BODY_TOO_LARGE = ("body-too-large", "The body is too large", 413)
    UNSUPPORTED_MEDIA_TYPE = ("unsupported-media-type", "The body must be JSON", 415)
    REQUEST_NOT_FOUND = ("request-not-found", "The provisioning request does not exist", 404)
    REQUEST_CONFLICT = ("request-conflict", "The request id was used for other content", 422)
    SOURCE_NOT_FOUND = ("source-not-found", "The source does not exist", 404)
    INVALID_SIGNATURE = ("invalid-signature", "The signature is not valid", 401)
    INVALID_EVENT = ("invalid-event", "The event is not valid", 422)
    TENANT_NOT_FOUND = ("tenant-not-found", "The tenant has no credential", 404)
    TYPE_EXISTS = ("type-exists", "The Custom Object Type already exists", 409)
    BLOCKED = ("blocked", "A desired change would destroy data in Close", 409)
    WRONG_STATE = ("wrong-state", "The present state does not allow this action", 409)
    CONTRADICTED = ("contradicted", "Close's lists show otherwise", 409)
    PLAN_STALE = ("plan-stale", "Close or the request changed since it was planned", 409)
    ROLE_NOT_FOUND = ("role-not-found", "The role does not exist", 422)
    REFERENCE_NOT_FOUND = ("reference-not-found", "The referenced type does not exist", 422)
    SPEC_REJECTED = ("spec-rejected", "Close rejected the spec", 422)
    CREDENTIAL_UNREADABLE = ("credential-unreadable", "The tenant's stored credential cannot be used", 424)
    CREDENTIAL_REJECTED = ("credential-rejected", "Close rejected the tenant's credential", 424)
    PLAN_LIMIT = ("plan-limit", "The tenant's Close plan does not allow it", 424)
    PERMISSION_MISSING = ("permission-missing", "The tenant's credential lacks a permission in Close", 424)
    CLOSE_MISCONFIGURED = ("close-misconfigured", "The response does not come from the Close API", 424)
    WRONG_ORGANIZATION = ("wrong-organization", "The credential belongs to another organization", 424)
    DEADLINE_EXCEEDED = ("deadline-exceeded", "The request was not finished in time", 504)
    UNRESOLVED = ("unresolved", "It is unknown whether the type was created", 504)
    UNAVAILABLE = ("unavailable", "The service is temporarily unavailable", 503)

    @property
    def uri(self) -> str:
        return f"urn:close-provisioner:problem:{self.value[0]}"


def make_problem(
    kind: ProblemType, detail: str, *, close_status: int | None = None, errors: tuple[ErrorDetail, ...] = ()
) -> Problem:
    _, title, status = kind.value
    return Problem(type=kind.uri, title=title, status=status, detail=detail, close_status=close_status, errors=errors)


class ProvisioningError(Exception):
    """The base of all errors of this service."""


class Rejected(ProvisioningError):
    """The call wrote nothing, and the request cannot succeed. It is final: no retry follows."""

    def __init__(
        self, kind: ProblemType, detail: str, *, close_status: int | None = None, errors: tuple[ErrorDetail, ...] = ()
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.problem = make_problem(kind, detail, close_status=close_status, errors=errors)

    def repointed(self, change: Callable[[str], str]) -> "Rejected":
        """Return the same error with the pointers of its details changed."""
        errors = tuple(ErrorDetail(pointer=change(each.pointer), detail=each.detail) for each in self.problem.errors)
        return Rejected(self.kind, str(self), close_status=self.problem.close_status, errors=errors)


class Unavailable(ProvisioningError):
    """The call wrote nothing, and a later one may succeed. The caller chooses when."""


class RetryLater(ProvisioningError):
    """Try again after ``seconds``."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


class RateLimited(RetryLater):
    """Close must not be called for this tenant for ``seconds`` (429), by any worker."""


class OutcomeUnknown(ProvisioningError):
    """A write was sent, and its response is lost or unreadable. Observe Close before sending a create again."""
