"""Holds every source to its fixtures: ``functions/sources/fixtures/<source>/<event>.json``, one for each of its events.

A fixture is an event as its sender documents it. It must be mapped by the event of its name, and to a request that the
service takes. The build runs this, so no source is shipped that maps nothing; ``make sources`` runs it alone, and shows
what each fixture means.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import infra.functions_path  # noqa: F401

try:
    from provisioner.contract.errors import Rejected
    from provisioner.contract.parsing import parse_request
    from provisioner.contract.request import ProvisioningRequest
    from provisioner.ingest.mapping import EventMapping, Ignored, Source, event_id, to_request
    from provisioner.ingest.sources import BARE_KEY, FOLDER, Sources
except ModuleNotFoundError as error:
    sys.exit(f"The sources cannot be checked: {sys.executable} has no {error.name}. Run `make install` first.")

PROJECT = Path(__file__).resolve().parents[2]
SIGNED_ID = "msg_fixture"
"""Stands for the delivery's id, where that is signed: a fixture is the body alone."""


class Unmapped(RuntimeError):
    """A source does not do what its fixtures show; the text says which, and how."""


class Mapped(NamedTuple):
    """An event that its fixture bears out, and the request that the fixture means."""

    source: Source
    event: EventMapping
    request: ProvisioningRequest


def check(folder: Path) -> None:
    """Raises ``Unmapped`` with a line for each fault of the sources in that folder."""
    faults = [each for each in looked_at(folder) if isinstance(each, str)]
    if faults:
        raise Unmapped("\n".join(faults))


def looked_at(folder: Path) -> Iterator[Mapped | str]:
    """Every event of every source; in the place of what is wrong, a sentence that names file and key."""
    sources, fixtures = Sources(folder), folder / "fixtures"
    for path in sorted(each for each in fixtures.glob("*") if each.name not in sources.names()):
        yield f"{_shown(path)}: there is no source of that name"
    for name in sources.names():
        path = folder / f"{name}.toml"
        try:
            source = sources.find(name)
        except ValueError as error:
            yield f"{_shown(path)}: {error}"
            continue
        if source is None:
            yield f"{_shown(path)}: a source is named in lower case, with hyphens"
            continue
        yield from _events_of(source, path, fixtures / name)


def _events_of(source: Source, file: Path, fixtures: Path) -> Iterator[Mapped | str]:
    names = {f"{event.name}.json" for event in source.events}
    for path in sorted(each for each in fixtures.glob("*") if each.name not in names):
        yield f"{_shown(path)}: {_shown(file)} has no {_key(path.name.removesuffix('.json'))}"
    for event in source.events:
        path = fixtures / f"{event.name}.json"
        try:
            yield Mapped(source, event, _request(source, event, json.loads(path.read_text(encoding="utf-8"))))
        except FileNotFoundError:
            yield f"{_shown(file)}: {_key(event.name)} has no fixture {_shown(path)}"
        except Unmapped as fault:
            yield f"{_shown(file)}: {fault} ({_shown(path)})"
        except ValueError as error:
            yield f"{_shown(path)}: it is no JSON ({error})"


def _request(source: Source, event: EventMapping, fixture: Any) -> ProvisioningRequest:
    """What the fixture means. Raises ``Unmapped`` with the key that keeps it from that."""
    if not isinstance(fixture, dict):
        raise Unmapped(f"{_key(event.name)} is for JSON objects, and its fixture is none")
    first = next((each for each in source.events if each.when.of(fixture) is True), None)
    if first is None:
        raise Unmapped(f"{_key(event.name)}.when is not true for its fixture")
    if first.name != event.name:
        raise Unmapped(f"{_key(first.name)}.when is true for the fixture of {event.name}, too, and stands before it")
    delivery_id = SIGNED_ID if source.scheme.signs_id else None
    if event_id(source, fixture, delivery_id) is None:
        raise Unmapped(f"request_id is {source.request_id.text}, which finds nothing in the fixture of {event.name}")
    try:
        body = to_request(source, fixture, delivery_id)
        if isinstance(body, Ignored):
            raise Unmapped(f"is_test is true for the fixture of {event.name}, and takes_tests is false")
        request = parse_request(json.dumps(body))
    except Rejected as refusal:
        # What a request calls /values/seats is made by the key events.<name>.values.seats.
        errors = [(each.pointer, each.detail) for each in refusal.problem.errors] or [("/tenant", str(refusal))]
        faults = [f"{_key(event.name)}{pointer.replace('/', '.')}: {detail}" for pointer, detail in errors]
        raise Unmapped("; ".join(faults).rstrip(".")) from None
    return request


def _key(event: str) -> str:
    return f"events.{event}" if BARE_KEY.fullmatch(event) else f'events."{event}"'


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def main(folder: Path = FOLDER) -> int:
    found = list(looked_at(folder))
    mapped = [each for each in found if isinstance(each, Mapped)]
    rows = [("source", "event", "tenant", "request id", "provisions"), *map(_row, mapped)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
    faults = [each for each in found if isinstance(each, str)]
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


def _row(mapped: Mapped) -> tuple[str, ...]:
    source, event, request = mapped
    request_id = "the delivery's" if source.scheme.signs_id else request.request_id
    types = ", ".join(each.name for each in request.types)
    provisions = f"{request.blueprint} ({types})" if request.blueprint else types
    return source.name, event.name, request.tenant, request_id, provisions


if __name__ == "__main__":
    sys.exit(main())
