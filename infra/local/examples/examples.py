"""The examples: the JSON files of this folder, sent in the order of their names.

shows        the behavior that it demonstrates
entry_point  "http", "queue", "plan" (asks over HTTP what would be done) or "webhook"
headers      of the HTTP request, besides those of its signature
body         JSON, or a string that is sent unchanged. For a webhook: source, event, tenant, and whether the event is
             changed after it was signed
close_fault  a fault that the simulated Close injects into this example's create
expect       status, headers, problem (the end of its type), pointers, close_status, differences and blocked (their
             fields), types (the result of each), plan (its lines), and announced: the result on the topic, or null if
             no outcome may be published
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
    """One request to send, with the expected result."""

    name: str
    shows: str
    entry_point: str
    body: Any
    expect: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    close_fault: str | None = None

    @property
    def content(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, ensure_ascii=False)

    @property
    def tenant(self) -> str:
        return str(self.body.get("tenant", "default")) if isinstance(self.body, dict) else "unknown"

    @property
    def subject(self) -> str:
        """Return the requested types, the blueprint or the event, in a word or two."""
        if not isinstance(self.body, dict):
            return self.content
        if self.entry_point == "webhook":
            return f"{self.body['source']} {self.body['event']}"
        names = [self.body["blueprint"]] if "blueprint" in self.body else [each["name"] for each in self._types()]
        subject = ", ".join(str(name).strip() or '""' for name in names)
        return f"{subject} ({self.body['if_exists']})" if "if_exists" in self.body else subject

    def _types(self) -> list[dict[str, Any]]:
        body: dict[str, Any] = self.body
        return body.get("custom_object_types") or [body["custom_object_type"]]

    @property
    def request_id(self) -> str | None:
        """Return the request id of the body or header. None if the service takes the id of the message or event."""
        if isinstance(self.body, dict) and "request_id" in self.body:
            return str(self.body["request_id"])
        key = self.headers.get("Idempotency-Key")
        return key.strip('"') if key else None


@dataclass(slots=True)
class Exchange:
    """An example that was sent, with its response and outcome. Times: Unix seconds. The queue returns no ``status``."""

    example: Example
    sent_at: float
    request_id: str
    responded_at: float = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)
    plan: str | None = None
    announcement: Announcement | None = None
    error: str | None = None

    def takes(self, announcement: Announcement) -> bool:
        """Keep the announcement if this example waits for it, and return whether it did."""
        if not self.waits or announcement.concerns != (self.example.tenant, self.request_id):
            return False
        self.announcement = announcement
        return True

    @property
    def waits(self) -> bool:
        return bool(self.example.expect["announced"]) and self.announcement is None and self.error is None

    @property
    def problem(self) -> Mapping[str, Any]:
        """Return the problem of the response or of the outcome; empty without one."""
        if "title" in self.response:
            return self.response
        found: Mapping[str, Any] = (self.announcement.data.get("problem") if self.announcement else None) or {}
        return found

    def faults(self) -> list[str]:
        """Return the differences from the expected result, each as a phrase."""
        if self.error:
            return [self.error]
        actual = self._actual()
        return [
            f"{name}: expected {expected!r}, got {actual.get(name)!r}"
            for name, expected in self.example.expect.items()
            if not _meets(actual.get(name), expected)
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


def _meets(actual: Any, expected: Any) -> bool:
    """Compare a mapping by the expected entries (names in any case), a list in any order, and other values exactly."""
    if isinstance(expected, Mapping):
        found = {name.lower(): value for name, value in actual.items()}
        return all(found.get(name.lower()) == value for name, value in expected.items())
    if isinstance(expected, list):
        return sorted(actual) == sorted(expected)
    return bool(actual == expected)


def load_examples(folder: Path = FOLDER) -> list[Example]:
    return [_load(file) for file in sorted(folder.glob("*.json"))]


def assign(announcement: Announcement, exchanges: Iterable[Exchange]) -> Exchange | None:
    """Return the first example that waits for the announcement, which it keeps; None without one."""
    return next((each for each in exchanges if each.takes(announcement)), None)


def _load(file: Path) -> Example:
    return Example(name=file.stem, **json.loads(file.read_text(encoding="utf-8")))
