"""``make send``: sends one webhook to a stack, signed as its sender would sign it, and shows the outcome."""

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
from provisioner.credentials.secret_text import UnusableSecret
from provisioner.ingest.sources import Sources

DEFAULT_SOURCE = "stripe"
OUTCOME_SECONDS = 60
AWAITED = "The request waits: tenant {tenant} has no credential. Store one, and the request continues."
STATIC = {"bearer", "basic"}


@dataclass(frozen=True, slots=True)
class Target:
    """The stack to send to. ``read`` returns the state of a request by its id; None without AWS credentials for it.

    ``lacks_credential`` returns whether a tenant has no credential there; False if that is not known.
    """

    api_url: str
    secrets: tuple[str, ...]
    read: Callable[[str], Mapping[str, Any] | None] | None
    lacks_credential: Callable[[str], bool] = lambda _tenant: False


def main(environment: Mapping[str, str], state: Path = PROJECT / ".local", say: Callable[[str], None] = print) -> int:
    """Return the exit code: 0 if the webhook gave the expected result."""
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    try:
        event = _event(given)
        target = _target(given, event.source.name, state)
        return _send(event, target, given, say)
    except UnusableSecret as error:
        say(f"\nSECRET is not a signing secret of {given.get('SOURCE', DEFAULT_SOURCE)}: {error}.\n")
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
        raise StartupError(f"The source {name} is invalid. Run `make sources` to see why.") from None


def _target(given: Mapping[str, str], source: str, state: Path) -> Target:
    if "URL" in given:
        if "SECRET" not in given:
            raise StartupError(f"SECRET is missing: set it to the signing secret of {source} at {given['URL']}.")
        return Target(given["URL"].rstrip("/"), (given["SECRET"],), _reader(given["URL"].rstrip("/")))
    if "SECRET" in given:
        raise StartupError(
            "SECRET is only used with URL, for another stack. The stack of `make run` has a secret for each source."
        )
    try:
        stack = json.loads((state / "stack.json").read_text(encoding="utf-8"))
    except OSError:
        raise StartupError(
            "No stack is running on this machine. Start one with `make run`, or set URL and SECRET of another stack."
        ) from None
    stored = _secret(stack, f"{stack['source_secret_prefix']}/{source}")
    if stored is None:
        raise StartupError(
            f"The running stack does not know the source {source}, which was added later. Restart `make run`."
        )

    def lacks_credential(tenant: str) -> bool:
        return _secret(stack, f"{stack['tenant_secret_prefix']}/{tenant}") is None

    api = ApiClient(stack["api_url"])
    secrets = tuple(json.loads(stored)["secrets"])
    return Target(stack["api_url"], secrets, lambda key: _state(api.read(key)), lacks_credential)


def _secret(stack: Mapping[str, Any], name: str) -> str | None:
    """Return a secret of the local stack; None if it does not exist."""
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


def _send(event: Event, target: Target, given: Mapping[str, str], say: Callable[[str], None]) -> int:
    tamper, again = (given.get(name, "0") not in {"0", "no"} for name in ("TAMPER", "AGAIN"))
    url = f"{target.api_url}/v1/webhooks/{event.source.name}"

    def deliver() -> httpx.Response:
        sent = event.sent(target.secrets)
        return _deliver(url, _tampered(sent, event) if tamper else sent, say)

    response = deliver()
    if again:
        response = deliver()
    if tamper:
        return 0 if response.status_code == HTTPStatus.UNAUTHORIZED else 1
    if response.status_code != HTTPStatus.ACCEPTED:
        return 0 if response.is_success else 1
    return _outcome(response.json(), target, say)


def _deliver(url: str, sent: Sent, say: Callable[[str], None]) -> httpx.Response:
    say(f"\nPOST {url}")
    for name, value in sent.headers.items():
        say(f"{name}: {value if name != 'authorization' else value.partition(' ')[0] + ' …'}")
    say(f"\n{sent.body.decode()[:200]}…\n")
    began = time.monotonic()
    try:
        response = httpx.post(url, content=sent.body, headers=dict(sent.headers), timeout=30)
    except httpx.HTTPError as error:
        raise StartupError(
            f"No response from {url} ({type(error).__name__}). Check URL, and that the stack is running."
        ) from None
    took = 1000 * (time.monotonic() - began)
    say(f"{response.status_code} {HTTPStatus(response.status_code).phrase}, after {took:.0f} ms\n{response.text}")
    return response


def _tampered(sent: Sent, event: Event) -> Sent:
    """Return the delivery with a changed body, or a changed token for schemes that do not sign the body."""
    if scheme_name(event.source) in STATIC:
        return Sent(sent.body, {**sent.headers, "authorization": sent.headers["authorization"][:-4]})
    return Sent(sent.body.replace(b'"acme"', b'"evil"') + b" ", sent.headers)


def _outcome(accepted: Mapping[str, Any], target: Target, say: Callable[[str], None]) -> int:
    if target.read is None:
        say("\nThe outcome will be published to the outcomes topic. Set AWS credentials to see it here.")
        return 0
    began = time.monotonic()
    while True:
        state = target.read(accepted["id"]) or {}
        if "outcome" in state:
            say(f"\n{_summary(state['outcome'])}\n\n{json.dumps(state['outcome'], indent=2)}")
            return 0 if "problem" not in state["outcome"] else 1
        if target.lacks_credential(accepted["tenant"]):
            say(f"\n{AWAITED.format(**accepted)}{_waiting(state)}")
            return 0
        if time.monotonic() - began > OUTCOME_SECONDS:
            break
        time.sleep(0.2)
    say(f"\nNo outcome after {OUTCOME_SECONDS} seconds. It will be published to the outcomes topic.{_waiting(state)}")
    return 0 if "pending_reason" in state else 1


def _summary(outcome: Mapping[str, Any]) -> str:
    """Return one line: ``created: Account created``, or the reason for the failure."""
    types = ", ".join(f"{each['name']} {each['result']}" for each in outcome.get("types", []))
    reason = outcome.get("problem", {}).get("detail", "")
    return f"{outcome['result']}: {'; '.join(filter(None, (types, reason)))}"


def _waiting(state: Mapping[str, Any]) -> str:
    return f" {state['pending_reason']}" if "pending_reason" in state else ""


def _state(response: httpx.Response) -> Mapping[str, Any] | None:
    state: Mapping[str, Any] | None = response.json() if response.is_success else None
    return state


def _reader(api_url: str) -> Callable[[str], Mapping[str, Any] | None] | None:
    """Return a reader with the AWS credentials and region of the environment; None if they are not set."""
    session = Session()
    credentials, region = session.get_credentials(), session.get_config_variable("region")
    if credentials is None or region is None:
        return None

    def read(key: str) -> Mapping[str, Any] | None:
        return _state(httpx.get(f"{api_url}{PATH}/{key}", auth=SigV4("execute-api", credentials, region), timeout=30))

    return read
