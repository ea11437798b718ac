"""Thousands of made-up deliveries to the webhooks handler: ``python -m tests.fuzz [--inputs 20000] [--seed 1]``.

Three kinds: random headers and bodies; properly signed deliveries with one change; and properly signed bodies of any
content. No response is a 5xx, no unsigned delivery is accepted, and neither a response nor a log line shows a secret or
an exception. A run prints how many deliveries it tried and their statuses, as proof that it reached the code.
"""

import argparse
import contextlib
import io
import json
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import tests.simulation.paths  # noqa: F401 - before anything of the functions is imported
from infra.local.signing import signed_headers
from provisioner.ingest.schemes import SCHEMES
from provisioner.telemetry import logger
from tests.webhook_senders import EVENTS, SECRETS, Upstream, fixture, scheme_of

TAKEN = {200, 202, 422}  # responses to verified deliveries
TURNED_AWAY = {401, 404, 413}
STATIC = {"bearer", "basic"}  # schemes with a token and no signature
EXCEPTION_TEXT = re.compile(r"Traceback|File \"|\b[A-Z][A-Za-z]+(Error|Exception)\b|line \d+, in ")

SOURCES = sorted(SECRETS)
HEADER_NAMES = sorted({name for scheme in SCHEMES.values() for name in scheme.headers})
SHORT = st.text(max_size=40)
PIECES = st.sampled_from(
    ["v1", "v1,", "t=", "ts=", "h1=", ",", ";", "=", " ", ", ", ".", "Bearer ", "Basic ", "sha256="]
)
HEADER_TEXTS = st.one_of(
    st.lists(st.one_of(PIECES, SHORT, st.from_regex(r"[0-9a-f]{64}", fullmatch=True)), max_size=8).map("".join),
    st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=60),
    st.integers().map(str),
    st.just("a" * 5000),
)
HEADERS = st.dictionaries(
    st.one_of(st.sampled_from(HEADER_NAMES), st.sampled_from(HEADER_NAMES).map(str.title), SHORT),
    st.lists(HEADER_TEXTS, max_size=3),
    max_size=6,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | SHORT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SHORT, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.sampled_from([fixture(*event) for event in EVENTS]),
    st.just(b"[" * 5000),
    st.just(b"x" * 262_145),
)
PATHS = st.sampled_from(["id", "event_id", "type", "event", "event_type", "data", "content", "livemode", "specversion"])


@dataclass
class Tally:
    """Counts of deliveries by kind, and of responses by status."""

    tried: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)

    def add(self, kind: str, status: int) -> None:
        self.tried[kind] += 1
        self.answers[status] += 1


class CheckedHandler:
    """The webhooks handler, with every response and log line checked."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def post(self, kind: str, source: str, body: bytes, headers: Mapping[str, list[str]]) -> int:
        """Return the status of a response that leaks nothing to an unauthenticated caller."""
        upstream, printed = Upstream(), io.StringIO()
        with contextlib.redirect_stdout(printed), _logging_to(printed):
            answer = upstream.post(source, body, headers)
        self.tally.add(kind, answer.status)
        text = json.dumps(answer.body)
        assert answer.status in TAKEN | TURNED_AWAY, (answer.status, text)
        assert not EXCEPTION_TEXT.search(text), text
        for secret in SECRETS.values():
            assert secret not in text
            assert secret not in printed.getvalue()
        assert source not in SOURCES or f'"source":"{source}"' in printed.getvalue()
        stored = bool(upstream.ledger.requests)
        assert stored == (answer.status == 202)
        assert stored == bool(upstream.queue.waiting)
        assert bool(upstream.topic.events) == (answer.status == 422)
        return answer.status

    def signed(self, source: str, body: bytes) -> dict[str, list[str]]:
        now = Upstream().clock()
        headers = signed_headers(scheme_of(source), [SECRETS[source]], body, now=now, delivery_id="msg_1")
        return {name: [value] for name, value in headers.items()}


@contextlib.contextmanager
def _logging_to(stream: io.StringIO) -> Iterator[None]:
    """The handler keeps the stream that it was made with."""
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    try:
        yield
    finally:
        handler.setStream(before or sys.stdout)


def fuzz(inputs: int, number: int | None = None) -> Tally:
    """Run the three kinds. Raises ``AssertionError`` with the smallest input that shows a fault."""
    tally = Tally()
    webhooks = CheckedHandler(tally)
    for each in (_out_of_nothing, _changed, _signed_anything):
        run = each(webhooks)
        if number is not None:
            run = seed(number)(run)
        settings(
            max_examples=-(-inputs // 3),
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )(run)()
    return tally


def _out_of_nothing(handler: CheckedHandler) -> Any:
    @given(source=st.one_of(st.sampled_from(SOURCES), SHORT), body=BODIES, headers=HEADERS)
    def run(source: str, body: bytes, headers: dict[str, list[str]]) -> None:
        assert handler.post("out of nothing", source, body, headers) in TURNED_AWAY

    return run


def _changed(handler: CheckedHandler) -> Any:
    """Properly signed, and then changed in one place."""

    @given(event=st.sampled_from(EVENTS), data=st.data())
    def run(event: tuple[str, str], data: st.DataObject) -> None:
        source, body = event[0], fixture(*event)
        headers = handler.signed(source, body)
        where = data.draw(st.sampled_from(["body", *headers]))
        if where == "body":
            status = handler.post("changed body", source, _with_one_change(data, body), headers)
            assert scheme_of(source) in STATIC or status in TURNED_AWAY
            return
        [value] = headers[where]
        changed = _with_one_change(data, value.encode("latin-1")).decode("latin-1")
        status = handler.post("changed header", source, body, {**headers, where: [changed]})
        # The change may add an entry that is skipped; every signed part must still be there.
        assert status in TURNED_AWAY or _holds_all_of(changed, value)

    return run


def _signed_anything(handler: CheckedHandler) -> Any:
    @given(source=st.sampled_from(SOURCES), body=BODIES, data=st.data())
    def run(source: str, body: bytes, data: st.DataObject) -> None:
        events = [each for each in EVENTS if each[0] == source]
        if data.draw(st.booleans()):
            document = json.loads(fixture(*data.draw(st.sampled_from(events))))
            document[data.draw(PATHS)] = data.draw(JSON)
            body = json.dumps(document).encode("utf-8", "surrogatepass")
        status = handler.post("signed, any body", source, body, handler.signed(source, body))
        assert status in TAKEN | {413}

    return run


def _with_one_change(data: st.DataObject, content: bytes) -> bytes:
    at = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.binary(max_size=3).filter(lambda piece: piece != content[at : at + 1]))
    return content[:at] + new + content[at + 1 :]


def _holds_all_of(changed: str, value: str) -> bool:
    """Tell whether the header still holds every entry, in any case."""
    entries = re.split("[,; ]+", value)
    return all(entry.lower() in changed.lower() for entry in entries)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    print(f"fuzzing the webhooks handler: {options.inputs:,} deliveries, --seed {options.seed}")
    started = time.monotonic()
    tally = fuzz(options.inputs, options.seed)
    tried = ", ".join(f"{count:,} {kind}" for kind, count in sorted(tally.tried.items()))
    answers = ", ".join(f"{count:,} x {status}" for status, count in sorted(tally.answers.items()))
    print(f"  {sum(tally.tried.values()):,} in {time.monotonic() - started:.0f} s: {tried}")
    print(f"  answered {answers}; no 5xx, nothing unsigned taken, nothing shown that must not be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
