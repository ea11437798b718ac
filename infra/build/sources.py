"""Holds every source to its fixtures: ``functions/sources/fixtures/<source>/<event>.json``, one for each of its events.

A fixture is an event as its sender documents it. It must be mapped by the event of its name, and to a request that the
service takes. The build runs this, so no source is shipped that maps nothing.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import infra.functions_path  # noqa: F401

try:
    from provisioner.errors import Refused
    from provisioner.mapping import EventMapping, Ignored, Source, to_request
    from provisioner.request_body import read_request
    from provisioner.sources import Sources
except ModuleNotFoundError as error:
    sys.exit(f"The sources cannot be checked: {sys.executable} has no {error.name}. Run `make install` first.")


class Unmapped(RuntimeError):
    """A source does not do what its fixtures show; the text says which, and how."""


def check(folder: Path) -> None:
    """Raises ``Unmapped`` with a line for each fault of the sources in that folder."""
    faults = list(faults_of(folder))
    if faults:
        raise Unmapped("\n".join(faults))


def faults_of(folder: Path) -> Iterator[str]:
    sources = Sources(folder)
    known = set(sources.names())
    for strange in sorted(each.name for each in (folder / "fixtures").iterdir() if each.name not in known):
        yield f"fixtures/{strange}: there is no source of that name"
    for name in sorted(known):
        try:
            source = sources.find(name)
        except ValueError as error:
            yield f"{name}.toml: {error}"
            continue
        if source is None:
            yield f"{name}.toml: a source is named in lower case, with hyphens"
            continue
        yield from _faults_of_source(source, folder / "fixtures" / name)


def _faults_of_source(source: Source, fixtures: Path) -> Iterator[str]:
    events = {event.name for event in source.events}
    for strange in sorted(path.name for path in fixtures.glob("*") if path.name.removesuffix(".json") not in events):
        yield f"fixtures/{source.name}/{strange}: the source has no event of that name"
    for event in source.events:
        path = fixtures / f"{event.name}.json"
        if not path.is_file():
            yield f"{source.name}.toml: {event.name} has no fixture {path.name}"
            continue
        fault = _fault_of_event(source, event, json.loads(path.read_text(encoding="utf-8")))
        if fault:
            yield f"fixtures/{source.name}/{path.name}: {fault}"


def _fault_of_event(source: Source, event: EventMapping, fixture: dict[str, Any]) -> str | None:
    first = next((each for each in source.events if each.when.of(fixture) is True), None)
    if first is None or first.name != event.name:
        return f"it is mapped by {first.name if first else 'no event'}"
    try:
        request = to_request(source, fixture, "msg_fixture" if source.scheme.signs_id else None)
        if isinstance(request, Ignored):
            return f"it is ignored: {request.why}"
        read_request(json.dumps(request))
    except Refused as refusal:
        return str(refusal)
    return None
