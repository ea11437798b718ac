"""The examples: one file each, in infra/local/examples/, sent in the order of their names.

shows        what it is there to show
door         "http" or "sqs"; "plan" asks over HTTP what would be done; "hook" is an upstream sender
headers      of the HTTP request, beside those of its signature
body         JSON, or a text that is sent as it is. Of a sender: source, event, tenant, and whether it is tampered with
close_fault  a fault for the simulated Close to strike this example's create with
expect       status, headers, problem (the end of its type), pointers, close_status, differences and blocked (their
             fields), types (the result of each), plan (its lines), and announced: the result on the topic, or null when
             nothing may be announced
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.outcomes import Announcement

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Example:
    """One file."""

    name: str
    shows: str
    door: str
    body: Any
    expect: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    close_fault: str | None = None

    @property
    def content(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)

    @property
    def tenant(self) -> str:
        return str(self.body.get("tenant", "default")) if isinstance(self.body, dict) else "default"

    @property
    def asks(self) -> str:
        """What it asks for, in a word or two."""
        if not isinstance(self.body, dict):
            return self.content
        if self.door == "hook":
            return f"{self.body['source']} {self.body['event']}"
        names = [self.body["blueprint"]] if "blueprint" in self.body else [each["name"] for each in self._types()]
        asked = ", ".join(str(name).strip() or '""' for name in names)
        return f"{asked} ({self.body['if_exists']})" if "if_exists" in self.body else asked

    def _types(self) -> list[dict[str, Any]]:
        body: dict[str, Any] = self.body
        return body.get("custom_object_types") or [body["custom_object_type"]]

    @property
    def request_id(self) -> str | None:
        """None when it is the message's id."""
        if isinstance(self.body, dict) and "request_id" in self.body:
            return str(self.body["request_id"])
        key = self.headers.get("Idempotency-Key")
        return key.strip('"') if key else None


@dataclass(slots=True)
class Exchange:
    """An example that was sent, and what came of it. Times are Unix seconds. SQS gives no ``status``."""

    example: Example
    sent_at: float
    request_id: str
    answered_at: float = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    plan: str | None = None
    announcement: Announcement | None = None
    error: str | None = None

    def takes(self, announcement: Announcement) -> bool:
        """Whether the announcement is what this example waits for; if so it is kept."""
        if not self.waits or announcement.concerns != (self.example.tenant, self.request_id):
            return False
        self.announcement = announcement
        return True

    @property
    def waits(self) -> bool:
        return bool(self.example.expect["announced"]) and self.announcement is None and self.error is None

    @property
    def problem(self) -> Mapping[str, Any]:
        """The problem that was answered or announced; empty when there is none."""
        if "title" in self.answer:
            return self.answer
        found: Mapping[str, Any] = (self.announcement.data.get("problem") if self.announcement else None) or {}
        return found

    def faults(self) -> list[str]:
        """What did not come out as expected; empty when all did."""
        if self.error:
            return [self.error]
        actual = self._actual()
        return [
            f"{what} should be {wanted!r}, and is {actual.get(what)!r}"
            for what, wanted in self.example.expect.items()
            if not _meets(actual.get(what), wanted)
        ]

    def _actual(self) -> dict[str, Any]:
        data = self.announcement.data if self.announcement else {}
        types = data.get("types", [])
        return {
            "status": self.status,
            "headers": dict(self.headers),
            "announced": data.get("result"),
            "problem": str(self.problem.get("type", "")).rpartition(":")[2],
            "pointers": [each["pointer"] for each in self.problem.get("errors", [])],
            "close_status": self.problem.get("close_status"),
            "differences": [each["field"] for found in types for each in found["differences"]],
            "blocked": [each["field"] for found in types for each in found["blocked"]],
            "types": {each["name"]: each["result"] for each in types},
            "plan": [line for line in (self.plan or "").splitlines() if line and "digest" not in line],
        }


def _meets(actual: Any, wanted: Any) -> bool:
    """Mappings hold at least what is wanted, under names in any case; lists hold the same in any order."""
    if isinstance(wanted, Mapping):
        found = {name.lower(): value for name, value in actual.items()}
        return all(found.get(name.lower()) == value for name, value in wanted.items())
    if isinstance(wanted, list):
        return sorted(actual) == sorted(wanted)
    return bool(actual == wanted)


def load_examples(folder: Path = FOLDER) -> list[Example]:
    return [_load(file) for file in sorted(folder.glob("*.json"))]


def assign(announcement: Announcement, exchanges: Iterable[Exchange]) -> Exchange | None:
    """Gives the announcement to the example that waits for it, the oldest first."""
    return next((each for each in exchanges if each.takes(announcement)), None)


def _load(file: Path) -> Example:
    return Example(name=file.stem, **json.loads(file.read_text(encoding="utf-8")))
