"""What a person can do with the stack while it serves: commands to copy, that work as they stand."""

import json
import shlex

from rich.text import Text

from infra.local.api_client import PATH
from infra.local.config import PROJECT, Options
from infra.local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from infra.local.stack import LocalStack


def next_steps(options: Options, stack: LocalStack) -> Text:
    """Several lines."""
    text = Text()
    for title, command in _commands(stack).items():
        text.append(f"  {title}\n\n", "bold")
        text.append(f"    {command}\n\n")
    if stack.close:
        text.append("  Be an upstream sender, in another terminal:\n\n", "bold")
        text.append("    make send SOURCE=stripe EVENT=customer.created TENANT=acme\n\n")
    state = _short(options)
    text.append("  Where things are: ", "bold")
    text.append(f"{state}/stack.json (every address), {state}/*.log\n\n")
    text.append("  Serving until Ctrl-C. Outcomes show here as they arrive.\n", "bold")
    return text


def _commands(stack: LocalStack) -> dict[str, str]:
    """Ready for a shell. curl signs for all of AWS (7.75 and later), so no further tool is needed."""
    about = stack.description
    tenant = "acme" if stack.close else "mine"  # another Close than the simulated one knows none of the examples' keys
    http = [*_json("application/json", _body(tenant, "my-1", "Ticket")), [f"{about.api_url}{PATH}"]]
    form = {"Action": "SendMessage", "QueueUrl": about.queue_url, "MessageBody": _body(tenant, "my-2", "Crate")}
    queue = [*(["--data-urlencode", f"{name}={value}"] for name, value in form.items()), [f"{about.aws_endpoint_url}/"]]
    secret = json.dumps({"Name": f"{about.tenant_secret_prefix}/mine", "SecretString": "your Close API key"})
    target = ["-H", "X-Amz-Target: secretsmanager.CreateSecret"]
    keep = [target, *_json("application/x-amz-json-1.1", secret), [f"{about.aws_endpoint_url}/"]]
    ask = {
        "Ask over HTTP, and wait for the answer:": _shell([_curl("execute-api"), *http]),
        "Ask over the queue:": _shell([_curl("sqs"), *queue]),
    }
    return ask if stack.close else {"Add a tenant:": _shell([_curl("secretsmanager"), *keep])} | ask


def _curl(service: str) -> list[str]:
    return ["curl", "-si", "--aws-sigv4", f"aws:amz:{REGION}:{service}", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]


def _json(media_type: str, text: str) -> list[list[str]]:
    return [["-H", f"Content-Type: {media_type}"], ["-d", text]]


def _body(tenant: str, request_id: str, name: str) -> str:
    spec = {"name": name, "name_plural": f"{name}s"}
    return json.dumps({"tenant": tenant, "request_id": request_id, "custom_object_type": spec})


def _shell(command: list[list[str]]) -> str:
    """One group of words a line, so that it can be read; one command all the same."""
    return " \\\n      ".join(" ".join(map(shlex.quote, group)) for group in command)


def _short(options: Options) -> str:
    inside = options.state.is_relative_to(PROJECT)
    return str(options.state.relative_to(PROJECT) if inside else options.state)
