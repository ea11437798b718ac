"""How ``make send`` ends, of a stack that is made up here; tests/e2e/test_send.py runs it against a real one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local import send
from infra.local.send import Place, main

ACCEPTED = {"id": "key", "tenant": "acme", "request_id": "evt_1", "state": "accepted"}
TYPES = [{"name": "Invoice", "result": "created"}, {"name": "Subscription", "result": "unchanged"}]


def ended(
    monkeypatch: pytest.MonkeyPatch, state: Mapping[str, Any] | None, *, lacks_credential: bool = False
) -> tuple[int, str]:
    monkeypatch.setattr(send, "OUTCOME_SECONDS", 0)
    said: list[str] = []
    place = Place("http://127.0.0.1:9", (), lambda _key: state, lambda _tenant: lacks_credential)
    return send._outcome(ACCEPTED, place, said.append), "\n".join(said)


def test_the_outcome_is_told_in_one_line_before_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"outcome": {"result": "created", "types": TYPES}})
    assert code == 0
    assert said.startswith("\ncreated: Invoice created, Subscription unchanged\n\n{\n")


def test_a_failure_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = {"detail": "Close returned 402: no more types."}
    types = [{"name": "Account", "result": "failed"}]
    code, said = ended(monkeypatch, {"outcome": {"result": "failed", "types": types, "problem": problem}})
    assert code == 1
    assert said.startswith("\nfailed: Account failed; Close returned 402: no more types.\n\n{\n")


def test_a_request_whose_tenant_has_no_credential_waits_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"state": "accepted"}, lacks_credential=True)
    assert (code, said) == (0, "\nIt waits for its tenant's credential: store one for acme, and it goes on.")


def test_what_the_service_says_of_waiting_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = ended(monkeypatch, {"state": "accepted", "waiting": "Tenant 'acme' has no credential."})
    assert code == 0
    assert said.endswith("Tenant 'acme' has no credential.")


@pytest.mark.parametrize("state", [None, {"state": "accepted"}])
def test_what_is_not_settled_for_no_known_reason_is_an_error(
    monkeypatch: pytest.MonkeyPatch, state: Mapping[str, Any] | None
) -> None:
    code, said = ended(monkeypatch, state)
    assert (code, said) == (1, "\nNot settled after 0 seconds. The outcomes topic will tell.")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SECRET": "s"}, "SECRET goes with URL, for another stack"),
        ({"URL": "http://127.0.0.1:9"}, "SECRET must be what stripe signs with at http://127.0.0.1:9"),
        (
            {"SOURCE": "clerk", "URL": "http://127.0.0.1:9", "SECRET": "whsec_?"},
            "The secret does not fit how clerk signs",
        ),
        ({}, "No stack is up on this machine"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, given: dict[str, str], reason: str) -> None:
    said: list[str] = []
    assert main(given, tmp_path, said.append) == 1
    assert said[-1].strip().startswith(reason)
    assert "\n" not in said[-1].strip()
