"""The webhook guides explain every preset, key and scheme, and every trap in them has its test."""

import re

from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.sources import _Event, _Rejected, _Source
from tests.architecture.conftest import PROJECT
from tests.webhook_senders import PRESETS

GUIDES = PROJECT / "docs" / "guides"
PAGE = (GUIDES / "webhooks.md").read_text(encoding="utf-8")
ADD_A_SENDER = (GUIDES / "add-a-sender.md").read_text(encoding="utf-8")


def test_every_preset_has_its_section_and_its_row() -> None:
    headings = set(re.findall(r"[a-z0-9-]+", " ".join(re.findall(r"^### (.*)$", PAGE, re.MULTILINE))))
    rows = set(re.findall(r"^\| `([a-z0-9-]+)` \| ", PAGE, re.MULTILINE))
    for name in PRESETS:
        assert name in headings
        assert name in rows


def test_every_key_of_a_source_is_explained() -> None:
    explained = set(re.findall(r"^\| `([a-z_.<>]+)` \| ", ADD_A_SENDER, re.MULTILINE))
    keys = set(_Source.model_fields) - {"events", "rejected"} | {"events.<name>", "rejected.<name>"}
    keys |= {f"events.<name>.{name}" for name in _Event.model_fields}
    keys |= {f"rejected.<name>.{name}" for name in _Rejected.model_fields}
    assert keys == explained & keys
    assert {each for each in explained if each.startswith(("events", "rejected"))} <= keys


def test_every_scheme_is_explained() -> None:
    table = ADD_A_SENDER.partition("| scheme | what is signed")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) == list(SCHEMES)


def test_every_scheme_says_where_its_sender_documents_it() -> None:
    rows = ADD_A_SENDER.partition("| scheme | what is signed")[2].partition("\n\n")[0].splitlines()[2:]
    assert [len(re.findall(r"\]\(https://[^)]+\)", row)) >= 1 for row in rows] == [True] * len(SCHEMES)


def test_every_trap_has_a_test_by_its_number() -> None:
    traps = set(re.findall(r"^(\d+)\. ", PAGE.partition("## Traps")[2], re.MULTILINE))
    tests = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "tests" / "unit").rglob("test_*.py"))
    assert traps == {str(number) for number in range(1, 12)}
    assert traps == set(re.findall(r"def test_trap_(\d+)_", tests))
