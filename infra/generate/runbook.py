"""The table of reasons to wait in the runbook, from the module that explains requests to the operator."""

from provisioner.operate.pending_reasons import PENDING_REASONS, PendingReason


def reasons() -> str:
    """Return the table."""
    rows = (
        f"| {_texts(each)} | {each.means} | {each.what_to_do.replace('{tenant}', 'acme')} |" for each in PENDING_REASONS
    )
    return "\n".join(["| `reason` of `deferred` | means | what to do |", "|---|---|---|", *rows])


def _texts(reason: PendingReason) -> str:
    quoted = ", ".join(f"`{text}`" for text in reason.texts)
    return f"{quoted}; each may end in `{reason.suffix}`" if reason.suffix else quoted
