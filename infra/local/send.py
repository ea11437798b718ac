"""Sends one webhook of an upstream source to a stack, signed as its sender signs, and shows the outcome."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.session import Session

from infra.local.api_client import PATH, ApiClient
from infra.local.config import PROJECT
from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from infra.local.errors import StartupError
from infra.local.sigv4 import SigV4
from infra.local.webhook_events import Event, Sent, scheme_name
from provisioner.ingest.schemes import UnusableSecret
from provisioner.ingest.sources import Sources

DEFAULT_SOURCE = "stripe"
OUTCOME_SECONDS = 60
AWAITED = "It waits for its tenant's credential: store one for {tenant}, and it goes on."
STATIC = {"bearer", "basic"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to send to. ``read`` answers a request's state by its id; None where nobody here may ask.

    ``lacks_credential``: whether that tenant has none there. Where nobody here may ask, it is taken to have one.
    """

    api_url: str
    secrets: tuple[str, ...]
    read: Callable[[str], Mapping[str, Any] | None] | None
    lacks_credential: Callable[[str], bool] = lambda _tenant: False


def main(environment: Mapping[str, str], state: Path = PROJECT / ".local", say: Callable[[str], None] = print) -> int:
    """Answers the exit code: 0 when it came out as it should."""
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    try:
        event = _event(given)
        place = _place(given, event.source.name, state)
        return _send(event, place, given, say)
    except UnusableSecret as error:
        say(f"\nThe secret does not fit how {given.get('SOURCE', DEFAULT_SOURCE)} signs: {error}.\n")
        return 1
    except StartupError as error:
        say(f"\n{error}\n")
        return 1


def _event(given: Mapping[str, str]) -> Event:
    name = given.get("SOURCE", DEFAULT_SOURCE)
    try:
        source = Sources().find(name)
        first = source.events[0].name if source else ""
        return Event.of(name, given.get("EVENT", first), given.get("TENANT", "acme"))
    except LookupError as error:
        raise StartupError(f"{error}.") from None
    except (ValueError, OSError):
        raise StartupError(f"The source {name} is not sound yet: `make sources` says what is wrong with it.") from None


def _place(given: Mapping[str, str], source: str, state: Path) -> Place:
    if "URL" in given:
        if "SECRET" not in given:
            raise StartupError(f"SECRET must be what {source} signs with at {given['URL']}")
        return Place(given["URL"].rstrip("/"), (given["SECRET"],), _reader(given["URL"].rstrip("/")))
    if "SECRET" in given:
        raise StartupError(
            "SECRET goes with URL, for another stack: the one of `make run` has a secret for each source."
        )
    try:
        stack = json.loads((state / "stack.json").read_text(encoding="utf-8"))
    except OSError:
        raise StartupError(
            "No stack is up on this machine: start one with `make run`, or say where with URL="
        ) from None
    held = _secret(stack, f"{stack['source_secret_prefix']}/{source}")
    if held is None:
        raise StartupError(
            f"The stack that is up was built before {source} was a source: end `make run`, and start it again."
        )

    def lacks_credential(tenant: str) -> bool:
        return _secret(stack, f"{stack['tenant_secret_prefix']}/{tenant}") is None

    door = ApiClient(stack["api_url"])
    secrets = tuple(json.loads(held)["secrets"])
    return Place(stack["api_url"], secrets, lambda key: _state(door.read(key)), lacks_credential)


def _secret(stack: Mapping[str, Any], name: str) -> str | None:
    """What that secret of the local stack holds; None when there is none."""
    secretsmanager = boto3.client(
        "secretsmanager",
        endpoint_url=stack["aws_endpoint_url"],
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    try:
        return str(secretsmanager.get_secret_value(SecretId=name)["SecretString"])
    except secretsmanager.exceptions.ResourceNotFoundException:
        return None


def _send(event: Event, place: Place, given: Mapping[str, str], say: Callable[[str], None]) -> int:
    tamper, again = (given.get(name, "0") not in {"0", "no"} for name in ("TAMPER", "AGAIN"))
    url = f"{place.api_url}/v1/webhooks/{event.source.name}"

    def deliver() -> httpx.Response:
        sent = event.sent(place.secrets)
        return _deliver(url, _tampered(sent, event) if tamper else sent, say)

    answer = deliver()
    if again:
        answer = deliver()
    if tamper:
        return 0 if answer.status_code == HTTPStatus.UNAUTHORIZED else 1
    if answer.status_code != HTTPStatus.ACCEPTED:
        return 0 if answer.is_success else 1
    return _outcome(answer.json(), place, say)


def _deliver(url: str, sent: Sent, say: Callable[[str], None]) -> httpx.Response:
    say(f"\nPOST {url}")
    for name, value in sent.headers.items():
        say(f"{name}: {value if name != 'authorization' else value.partition(' ')[0] + ' …'}")
    say(f"\n{sent.body.decode()[:200]}…\n")
    began = time.monotonic()
    try:
        answer = httpx.post(url, content=sent.body, headers=dict(sent.headers), timeout=30)
    except httpx.HTTPError as error:
        raise StartupError(f"Nobody answered at {url} ({type(error).__name__})") from None
    took = 1000 * (time.monotonic() - began)
    say(f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}, after {took:.0f} ms\n{answer.text}")
    return answer


def _tampered(sent: Sent, event: Event) -> Sent:
    """Somebody on the way changes the body; or the token, where there is nothing else to tell senders by."""
    if scheme_name(event.source) in STATIC:
        return Sent(sent.body, {**sent.headers, "authorization": sent.headers["authorization"][:-4]})
    return Sent(sent.body.replace(b'"acme"', b'"evil"') + b" ", sent.headers)


def _outcome(accepted: Mapping[str, Any], place: Place, say: Callable[[str], None]) -> int:
    if place.read is None:
        say("\nWhat becomes of it is announced on the outcomes topic.")
        return 0
    began = time.monotonic()
    while True:
        state = place.read(accepted["id"]) or {}
        if "outcome" in state:
            say(f"\n{_summary(state['outcome'])}\n\n{json.dumps(state['outcome'], indent=2)}")
            return 0 if "problem" not in state["outcome"] else 1
        if place.lacks_credential(accepted["tenant"]):
            say(f"\n{AWAITED.format(**accepted)}{_waiting(state)}")
            return 0
        if time.monotonic() - began > OUTCOME_SECONDS:
            break
        time.sleep(0.2)
    say(f"\nNot settled after {OUTCOME_SECONDS} seconds. The outcomes topic will tell.{_waiting(state)}")
    return 0 if "waiting" in state else 1


def _summary(outcome: Mapping[str, Any]) -> str:
    """One line: ``created: Account created``, or what went wrong."""
    types = ", ".join(f"{each['name']} {each['result']}" for each in outcome.get("types", []))
    why = outcome.get("problem", {}).get("detail", "")
    return f"{outcome['result']}: {'; '.join(filter(None, (types, why)))}"


def _waiting(state: Mapping[str, Any]) -> str:
    return f" {state['waiting']}" if "waiting" in state else ""


def _state(answer: httpx.Response) -> Mapping[str, Any] | None:
    state: Mapping[str, Any] | None = answer.json() if answer.is_success else None
    return state


def _reader(api_url: str) -> Callable[[str], Mapping[str, Any] | None] | None:
    """Reads with the credentials and the region of the environment, as any AWS tool would find them."""
    session = Session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None or region is None:
        return None

    def read(key: str) -> Mapping[str, Any] | None:
        return _state(httpx.get(f"{api_url}{PATH}/{key}", auth=SigV4("execute-api", credentials, region), timeout=30))

    return read
