"""Checks every source against its fixtures in ``functions/sources/fixtures/<source>/``: events as documented.

    <event>.json          one for each event, which must map it to a valid request
    <event>/*.json        other shapes of it, which the event must map, too
    rejected/<name>.json  one for each rejected shape
    ignored/*.json        test events, and others that map to no request

The build runs this check, so that no invalid source is shipped. ``make sources`` runs it alone, and shows the result.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import infra.functions_path  # noqa: F401

try:
    from provisioner.contract.errors import Rejected
    from provisioner.contract.request import ProvisioningRequest
    from provisioner.contract.validation import parse_request
    from provisioner.ingest.mapping import EventMapping, Ignored, RejectedShape, Source, event_id, to_request
    from provisioner.ingest.sources import BARE_KEY, FOLDER, Sources
except ModuleNotFoundError as error:
    sys.exit(f"The sources cannot be checked: {sys.executable} has no {error.name}. Run `make install` first.")

PROJECT = Path(__file__).resolve().parents[2]
SIGNED_ID = "msg_fixture"
"""The delivery id, for schemes that sign one: a fixture holds the body only."""


class Unmapped(RuntimeError):
    """A source does not map its fixtures to valid requests. The message names the file, the key and the fault."""


class Reason(NamedTuple):
    """The reason that the sender of a rejected fixture receives."""

    text: str


class RejectedFixture(NamedTuple):
    """A signup that is rejected for its shape, and the reason that its sender receives."""

    source: Source
    shape: RejectedShape
    reason: str


class Mapped(NamedTuple):
    """An event whose fixture is mapped, and the resulting request."""

    source: Source
    event: EventMapping
    request: ProvisioningRequest


def check(folder: Path) -> None:
    """Raise ``Unmapped`` with a line for each fault of the sources in that folder."""
    faults = [each for each in check_all(folder) if isinstance(each, str)]
    if faults:
        raise Unmapped("\n".join(faults))


def check_all(folder: Path) -> Iterator[Mapped | RejectedFixture | str]:
    """Yield every event and rejected shape of every source. For a fault, yield a sentence that names file and key."""
    sources, fixtures = Sources(folder), folder / "fixtures"
    for path in sorted(each for each in fixtures.glob("*") if each.name not in sources.names()):
        yield f"{_shown(path)}: no source has this name"
    for name in sources.names():
        path = folder / f"{name}.toml"
        try:
            source = sources.find(name)
        except ValueError as error:
            yield f"{_shown(path)}: {error}"
            continue
        if source is None:
            yield f"{_shown(path)}: the name of a source must be lower case, with hyphens"
            continue
        yield from _events_of(source, path, fixtures / name)
        yield from _rejected_of(source, path, fixtures / name / "rejected")
        for ignored in sorted((fixtures / name / "ignored").glob("*")):
            yield from _faults(_checked(path, ignored, "ignored", partial(_check_ignored, source)))


def _events_of(source: Source, file: Path, fixtures: Path) -> Iterator[Mapped | str]:
    names = {"rejected", "ignored"}
    names |= {f"{event.name}{suffix}" for event in source.events for suffix in (".json", "")}
    for path in sorted(each for each in fixtures.glob("*") if each.name not in names):
        yield f"{_shown(path)}: {_shown(file)} has no {_key(path.name.removesuffix('.json'))}"
    for event in source.events:
        request = partial(_request, source, event)
        for mapped in _checked(file, fixtures / f"{event.name}.json", _key(event.name), request):
            yield mapped if isinstance(mapped, str) else Mapped(source, event, mapped)
        for path in sorted((fixtures / event.name).glob("*")):
            yield from _faults(_checked(file, path, _key(event.name), request))


def _rejected_of(source: Source, file: Path, fixtures: Path) -> Iterator[RejectedFixture | str]:
    names = {f"{shape.name}.json" for shape in source.rejected}
    for path in sorted(each for each in fixtures.glob("*") if each.name not in names):
        yield f"{_shown(path)}: {_shown(file)} has no rejected.{path.name.removesuffix('.json')}"
    for shape in source.rejected:
        reason = partial(_reason, source, shape)
        for each in _checked(file, fixtures / f"{shape.name}.json", f"rejected.{shape.name}", reason):
            yield RejectedFixture(source, shape, each.text) if isinstance(each, Reason) else each


def _checked[T](file: Path, path: Path, key: str, check_fixture: Callable[[Any], T]) -> Iterator[T | str]:
    """Yield the result of the check of that fixture, or its fault."""
    try:
        yield check_fixture(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        yield f"{_shown(file)}: {key} has no fixture {_shown(path)}"
    except Unmapped as fault:
        yield f"{_shown(file)}: {fault} ({_shown(path)})"
    except ValueError as error:
        yield f"{_shown(path)}: invalid JSON ({error})"


def _faults(checked: Iterator[Any]) -> Iterator[str]:
    return (each for each in checked if isinstance(each, str))


def _check_ignored(source: Source, fixture: Any) -> None:
    try:
        mapped = to_request(source, fixture, SIGNED_ID)
    except Rejected as rejection:
        raise Unmapped(f"an ignored fixture is rejected: {rejection}") from None
    if not isinstance(mapped, Ignored):
        raise Unmapped(f"an ignored fixture is mapped to a request of tenant {mapped['tenant']}")


def _reason(source: Source, shape: RejectedShape, fixture: Any) -> Reason:
    try:
        to_request(source, fixture, SIGNED_ID)
    except Rejected as rejection:
        if shape.reason in str(rejection):
            return Reason(str(rejection))
    raise Unmapped(f"rejected.{shape.name} does not reject its fixture")


def _request(source: Source, event: EventMapping, fixture: Any) -> ProvisioningRequest:
    """Return the request of a fixture. Raises ``Unmapped`` with the key that is at fault."""
    if not isinstance(fixture, dict):
        raise Unmapped(f"{_key(event.name)} needs a JSON object as its fixture")
    first = next((each for each in source.events if each.when.of(fixture) is True), None)
    if first is None:
        raise Unmapped(f"{_key(event.name)}.when is not true for its fixture")
    if first.name != event.name:
        raise Unmapped(f"{_key(first.name)}.when is also true for the fixture of {event.name}, and comes before it")
    delivery_id = SIGNED_ID if source.scheme.signs_id else None
    if event_id(source, fixture, delivery_id) is None:
        raise Unmapped(f"request_id is {source.request_id.text}, which finds nothing in the fixture of {event.name}")
    try:
        body = to_request(source, fixture, delivery_id)
        if isinstance(body, Ignored):
            raise Unmapped(f"is_test is true for the fixture of {event.name}, and takes_tests is false")
        request = parse_request(json.dumps(body))
    except Rejected as rejection:
        # The key events.<name>.values.seats makes /values/seats of the request.
        errors = [(each.pointer, each.detail) for each in rejection.problem.errors] or [("/tenant", str(rejection))]
        faults = [f"{_key(event.name)}{pointer.replace('/', '.')}: {detail}" for pointer, detail in errors]
        raise Unmapped("; ".join(faults).rstrip(".")) from None
    return request


def _key(event: str) -> str:
    return f"events.{event}" if BARE_KEY.fullmatch(event) else f'events."{event}"'


def _shown(path: Path) -> str:
    return str(path.relative_to(PROJECT) if path.is_relative_to(PROJECT) else path)


def main(folder: Path = FOLDER) -> int:
    found = list(check_all(folder))
    mapped = [each for each in found if not isinstance(each, str)]
    rows = [("source", "event", "tenant", "may name", "request id", "provisions"), *map(_row, mapped)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    faults = [each for each in found if isinstance(each, str)]
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


def _row(each: Mapped | RejectedFixture) -> tuple[str, ...]:
    source = each.source
    if isinstance(each, RejectedFixture):
        return source.name, each.shape.name, "-", "-", "-", f"rejected: {each.shape.reason}"
    request = each.request
    may_name = source.tenants.text if source.tenants else "any"
    request_id = "delivery id" if source.scheme.signs_id else request.request_id
    types = ", ".join(each.name for each in request.types)
    provisions = f"{request.blueprint} ({types})" if request.blueprint else types
    return source.name, each.event.name, request.tenant, may_name, request_id, provisions


if __name__ == "__main__":
    sys.exit(main())
