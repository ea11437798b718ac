"""The end of ``make send``, with an invented stack. tests/e2e/test_send.py uses a real one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local import send
from infra.local.send import Target, main

ACCEPTED = {"id": "key", "tenant": "acme", "request_id": "evt_1", "state": "accepted"}
TYPES = [{"name": "Invoice", "result": "created"}, {"name": "Subscription", "result": "unchanged"}]


def ended(
    monkeypatch: pytest.MonkeyPatch, state: Mapping[str, Any] | None, *, lacks_credential: bool = False
) -> tuple[int, str]:
    monkeypatch.setattr(send, "OUTCOME_SECONDS", 0)
    said: list[str] = []
    target = Target("http://127.0.0.1:9", (), lambda _key: state, lambda _tenant: lacks_credential)
    return send._outcome(ACCEPTED, target, said.append), "\n".join(said)


def test_the_outcome_is_summed_up_in_one_line_first(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"outcome": {"result": "created", "types": TYPES}})
    assert code == 0
    assert said.startswith("\ncreated: Invoice created, Subscription unchanged\n\n{\n")


def test_a_failure_is_shown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"detail": "Close returned 402: no more types."}
    types = [{"name": "Account", "result": "failed"}]
    code, said = ended(monkeypatch, {"outcome": {"result": "failed", "types": types, "problem": problem}})
    assert code == 1
    assert said.startswith("\nfailed: Account failed; Close returned 402: no more types.\n\n{\n")


def test_a_request_that_waits_for_a_credential_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"state": "accepted"}, lacks_credential=True)
    assert (code, said) == (
        0,
        "\nThe request waits: tenant acme has no credential. Store one, and the request continues.",
    )


def test_the_reason_for_waiting_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"state": "accepted", "pending_reason": "Tenant 'acme' has no credential."})
    assert code == 0
    assert said.endswith("Tenant 'acme' has no credential.")


@pytest.mark.parametrize("state", [None, {"state": "accepted"}])
def test_a_missing_outcome_without_a_reason_is_an_error(
    monkeypatch: pytest.MonkeyPatch, state: Mapping[str, Any] | None
) -> None:
    code, said = ended(monkeypatch, state)
    assert (code, said) == (1, "\nNo outcome after 0 seconds. It will be published to the outcomes topic.")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SECRET": "s"}, "SECRET is only used with URL, for another stack"),
        (
            {"URL": "http://127.0.0.1:9"},
            "SECRET is missing: set it to the signing secret of stripe at http://127.0.0.1:9",
        ),
        (
            {"SOURCE": "clerk", "URL": "http://127.0.0.1:9", "SECRET": "whsec_?"},
            "SECRET is not a signing secret of clerk",
        ),
        ({}, "No stack is running on this machine"),
    ],
)
def test_an_error_is_one_line(tmp_path: Path, given: dict[str, str], reason: str) -> None:
    said: list[str] = []
    assert main(given, tmp_path, said.append) == 1
    assert said[-1].strip().startswith(reason)
    assert "\n" not in said[-1].strip()
