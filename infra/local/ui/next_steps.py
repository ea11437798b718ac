"""Commands to copy while the stack serves. They work unchanged."""

import json
import shlex

from rich.text import Text

from infra.local.api_client import PATH
from infra.local.config import PROJECT, Options
from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from infra.local.stack import LocalStack


def next_steps(options: Options, stack: LocalStack, console_url: str | None = None) -> Text:
    """Return several lines. The console's URL comes first."""
    text = Text()
    if console_url:
        text.append("  Open the console: every request, the reason for its state, and a button to retry it\n\n", "bold")
        text.append(f"    {console_url}\n\n", "bold cyan")
    for title, command in _commands(stack).items():
        text.append(f"  {title}\n\n", "bold")
        text.append(f"    {command}\n\n")
    state = _short(options)
    text.append("  Addresses: ", "bold").append(f"{state}/stack.json")
    text.append("   Logs: ", "bold").append(f"{state}/*.log\n\n")
    text.append("  The stack serves until Ctrl-C. Each outcome is shown here when it arrives.\n", "bold")
    return text


def _commands(stack: LocalStack) -> dict[str, str]:
    """Return shell commands by title. curl signs for all of AWS (7.75 and later), so that no other tool is needed."""
    about = stack.description
    tenant = "acme" if stack.close else "mine"  # only the simulated Close knows the example tenants' keys
    http = [*_json("application/json", _body(tenant, "my-1", "Ticket")), [f"{about.api_url}{PATH}"]]
    form = {"Action": "SendMessage", "QueueUrl": about.queue_url, "MessageBody": _body(tenant, "my-2", "Crate")}
    queue = [*(["--data-urlencode", f"{name}={value}"] for name, value in form.items()), [f"{about.aws_endpoint_url}/"]]
    secret = json.dumps({"Name": f"{about.tenant_secret_prefix}/mine", "SecretString": "your Close API key"})
    target = ["-H", "X-Amz-Target: secretsmanager.CreateSecret"]
    store = [target, *_json("application/x-amz-json-1.1", secret), [f"{about.aws_endpoint_url}/"]]
    requests = {
        "Send a request over HTTP, and wait for its outcome": _shell([_curl("execute-api"), *http]),
        "Send a request to the queue": _shell([_curl("sqs"), *queue]),
    }
    if stack.close is None:
        return {"Store your Close API key as the tenant 'mine'": _shell([_curl("secretsmanager"), *store])} | requests
    webhook = "make send SOURCE=stripe EVENT=customer.created TENANT=acme"
    return requests | {"Send a signed webhook, from another terminal in this folder": webhook}


def _curl(service: str) -> list[str]:
    return ["curl", "-si", "--aws-sigv4", f"aws:amz:{REGION}:{service}", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]


def _json(media_type: str, text: str) -> list[list[str]]:
    return [["-H", f"Content-Type: {media_type}"], ["-d", text]]


def _body(tenant: str, request_id: str, name: str) -> str:
    spec = {"name": name, "name_plural": f"{name}s"}
    return json.dumps({"tenant": tenant, "request_id": request_id, "custom_object_type": spec})


def _shell(command: list[list[str]]) -> str:
    """Return one shell command with an option on each line."""
    return " \\\n      ".join(" ".join(map(shlex.quote, group)) for group in command)


def _short(options: Options) -> str:
    inside = options.state.is_relative_to(PROJECT)
    return str(options.state.relative_to(PROJECT) if inside else options.state)
