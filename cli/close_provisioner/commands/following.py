"""Follows a request to its outcome, with what it waits for."""

from collections.abc import Callable

from rich.status import Status

from close_provisioner.client.requests import Outcome, RequestState
from close_provisioner.errors import Interrupted, StillWaiting
from close_provisioner.invocation import Invocation

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 3.0


def follow(invocation: Invocation, request: RequestState, seconds: float) -> Outcome:
    """Return the outcome.

    Raises:
        StillWaiting: it did not settle in time. Interrupted: the operator pressed Ctrl-C. The request goes on.
    """
    name = f"{request.tenant}/{request.request_id}"
    see = f"See it: close-provisioner requests show {name}"
    deadline, pause, reason = invocation.host.now() + seconds, FIRST_PAUSE, None
    try:
        with Status(f"{name}: accepted", console=invocation.printer.notes) as status:
            while request.outcome is None:
                if invocation.host.now() >= deadline:
                    raise StillWaiting(f"{name} still waits: {request.pending_reason or 'accepted'}. {see}")
                invocation.host.sleep(pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)
                request = invocation.service.requests.state(request.id)
                reason = _said(invocation, request, reason, status.update)
    except KeyboardInterrupt:
        raise Interrupted(f"{name} was submitted, and the service goes on with it. {see}") from None
    return request.outcome


def _said(
    invocation: Invocation, request: RequestState, before: str | None, update: Callable[[str], None]
) -> str | None:
    """Show a new reason to wait: in the moving line on a terminal, as a line of its own elsewhere."""
    reason = request.pending_reason
    if reason and reason != before:
        update(f"{request.tenant}/{request.request_id}: {reason}")
        if not invocation.printer.notes.is_terminal:
            invocation.printer.note(f"{request.tenant}/{request.request_id} waits: {reason}")
    return reason or before
