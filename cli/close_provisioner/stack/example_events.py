"""The signed example events of the project, which ``make send`` also sends. They need the project's folder."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SENT_SECONDS = 90  # the longest that one event takes with its outcome


RESPONSE = re.compile(r"^\d{3} .+, after \d+ ms$", re.MULTILINE)
REQUEST = re.compile(r'"id": ?"([0-9a-f]{32})"')
RESULT = re.compile(r"^(?:created|recovered|updated|unchanged|adopted|failed|unresolved): .*$", re.MULTILINE)


class Sent(NamedTuple):
    """The result of sending an event, in the words of ``make send``."""

    succeeded: bool
    text: str

    @property
    def response(self) -> str:
        """The status of the response and how long it took."""
        return _first(RESPONSE, self.text)

    @property
    def request(self) -> str:
        """The id of the request that was accepted."""
        return _first(REQUEST, self.text)

    @property
    def result(self) -> str:
        """The line about the outcome, if it came while ``make send`` waited."""
        return _first(RESULT, self.text)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[found.lastindex or 0] if found else ""


@dataclass(frozen=True, slots=True)
class ExampleEvents:
    """The events in the project's folder."""

    project: Path
    environment: Mapping[str, str]

    @classmethod
    def near(cls, folder: Path, environment: Mapping[str, str]) -> "ExampleEvents | None":
        """Return the events of the project that the folder is in, None outside of one."""
        for each in (folder, *folder.parents):
            if (each / "infra" / "local" / "send.py").exists():
                return cls(each, environment)
        return None

    def names(self) -> dict[str, list[str]]:
        """Return the names of the events by source."""
        folders = sorted((self.project / "functions" / "sources" / "fixtures").iterdir())
        return {each.name: sorted(file.stem for file in each.glob("*.json")) for each in folders if each.is_dir()}

    def send(self, source: str, event: str, tenant: str, **given: str) -> Sent:
        """Sign the event and send it, then wait for its outcome. ``given``: more variables of ``make send``."""
        variables = {"SOURCE": source, "EVENT": event, "TENANT": tenant, **given}
        ended = subprocess.run(
            [sys.executable, "-m", "infra.local", "send"],
            cwd=self.project,
            env={**self.environment, **{name: value for name, value in variables.items() if value}},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=SENT_SECONDS,
        )
        return Sent(ended.returncode == 0, ended.stdout.strip())
