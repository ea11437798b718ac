"""The whole local stack with proxies before its dependencies, and the functions deployed to call through them.

        function ── proxy ── microburst ── ministack
            └────── proxy ── simulated Close

Everything that the service has a setting for is shorter here than on AWS, in the same order (seconds): the functions'
time-outs < the lease, the fallback's delay and the queue's visibility timeout.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.config import PROJECT, Options
from infra.local.outcomes import Feed
from infra.local.ports import HOST
from infra.local.stack import LocalStack, local_stack
from infra.simulator import ControlClient
from provisioner.contract.text import natural_key
from tests.chaos.microburst import Microburst, microburst
from tests.chaos.proxy import Decide, Kill, Proxy
from tests.chaos.time_compression import compress_time
from tests.simulation.history import StoredType

LIST_LAG_SECONDS = 3
CLOSE_TIMEOUT_SECONDS = 2
TIMEOUT_SECONDS = {"api": 12, "worker": 16, "sweeper": 16, "webhooks": 12}
LEASE_SECONDS = 18
FALLBACK_SECONDS = 13
VISIBILITY_SECONDS = 18


@dataclass(frozen=True, slots=True)
class DeployedCode:
    """Code deployed in place of these functions: a folder, its handler, and further actions that its role allows."""

    folder: Path
    handler: str
    functions: tuple[str, ...]
    actions: tuple[str, ...]


@dataclass(slots=True)
class Cluster:
    """A stack that is up. ``batch``: how many messages a worker takes at once. ``folder``: of its logs."""

    stack: LocalStack
    aws: Proxy
    close_proxy: Proxy
    burst: Microburst
    feed: Feed
    batch: int
    folder: Path

    @property
    def close(self) -> ControlClient:
        assert self.stack.close
        return self.stack.close

    def decide(self, decide: Decide) -> None:
        """Who may pass from now on, at either gate."""
        self.aws.decide = self.close_proxy.decide = decide

    @property
    def kills(self) -> list[Kill]:
        return [*self.aws.kills, *self.close_proxy.kills]

    def client(self, service: str) -> Any:
        """Past the gates and microburst: for the stage's own use."""
        return self.stack.aws.client(service)

    def add_tenant(self, name: str, **settings: Any) -> str:
        """An organization at Close by the same name, and its key with Secrets Manager. The key."""
        key: str = self.close.add_organization(id=f"orga_{name}", name=name, **settings)["keys"][0]
        prefix = self.stack.description.tenant_secret_prefix
        self.client("secretsmanager").create_secret(Name=f"{prefix}/{name}", SecretString=key)
        return key

    def add_tenant_of(self, name: str, owner: str) -> str:
        """A tenant whose key opens the organization of another tenant. The key."""
        key = self.close.add_key(f"orga_{owner}")
        prefix = self.stack.description.tenant_secret_prefix
        self.client("secretsmanager").create_secret(Name=f"{prefix}/{name}", SecretString=key)
        return key

    def stored(self, tenant: str) -> list[StoredType]:
        """Every type of the tenant's organization, whether or not the list shows it."""
        return [StoredType(tenant, each["id"], each["name"]) for each in self.close.types(f"orga_{tenant}")]

    def copies_of_fields(self, tenant: str) -> Counter[str]:
        """How many fields of each name each type of the tenant's organization has."""
        return Counter(
            f"field {natural_key(row['name'])!r} of {each['id']}"
            for each in self.close.types(f"orga_{tenant}")
            for row in each["fields"]
        )

    def items(self) -> dict[str, dict[str, Any]]:
        """The ledger by key."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.stack.description.table_name)
        return {item["pk"]["S"]: item for page in pages for item in page["Items"]}

    def sweep(self) -> None:
        """Invoke the sweeper now, in place of the schedule. The ledger shows the result."""
        name = self.stack.description.functions["sweeper"].name
        self.client("lambda").invoke(FunctionName=name, Qualifier="live", InvocationType="RequestResponse")

    def waiting(self) -> int:
        """Messages on the queue: visible, delayed or in flight."""
        names = [f"ApproximateNumberOfMessages{rest}" for rest in ("", "Delayed", "NotVisible")]
        found = self.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.description.queue_url, AttributeNames=names
        )["Attributes"]
        return sum(int(found[name]) for name in names)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Those that can be seen now; they stay."""
        found = self.client("sqs").receive_message(
            QueueUrl=self.stack.description.dead_letter_queue_url, MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        messages: list[dict[str, Any]] = found.get("Messages", [])
        return messages

    def logged(self) -> Iterator[str]:
        """Every line that a function or the gateway wrote."""
        logs = self.client("logs")
        for group in logs.get_paginator("describe_log_groups").paginate().search("logGroups[].logGroupName"):
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            yield from pages.search("events[].message")


@contextmanager
def start_cluster(state: str, *, seed: str = "", code: DeployedCode | None = None, batch: int = 3) -> Iterator[Cluster]:
    """Brings it up. microburst draws by ``seed``. ``state`` names a folder below ``.local``."""
    folder = PROJECT / ".local" / state
    options = Options(
        port=0, list_lag_seconds=LIST_LAG_SECONDS, close_timeout_seconds=CLOSE_TIMEOUT_SECONDS, state=folder
    )
    with ExitStack() as ending:
        stack = ending.enter_context(local_stack(options))
        assert stack.close
        url = stack.aws.endpoint_url
        burst = ending.enter_context(microburst(url, seed, folder / "microburst.log"))
        emulator = stack.servers[0].pid
        aws = ending.enter_context(Proxy(burst.url, emulator, rewrite=compress_time))
        close = ending.enter_context(Proxy(stack.close.url, emulator))
        up = Cluster(
            stack, aws, close, burst, Feed(stack.aws.client("sqs"), stack.description.outcomes_queue_url), batch, folder
        )
        _shorten_visibility(up)
        _make_batches_small(up)
        for entry_point in code.functions if code else TIMEOUT_SECONDS:  # the other functions are not called
            _deploy(up, entry_point, code)
        yield up


def _shorten_visibility(up: Cluster) -> None:
    up.client("sqs").set_queue_attributes(
        QueueUrl=up.stack.description.queue_url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
    )


def _make_batches_small(up: Cluster) -> None:
    """A killed worker takes its whole batch with it: with ten of them in each, little else would ever happen."""
    lambda_ = up.client("lambda")
    for mapping in lambda_.list_event_source_mappings()["EventSourceMappings"]:
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=up.batch)


def _deploy(up: Cluster, entry_point: str, code: DeployedCode | None) -> None:
    """A new version behind the alias, as any deployment makes one."""
    function, lambda_ = up.stack.description.functions[entry_point], up.client("lambda")
    environment = function.environment | _environment(up)
    change: dict[str, Any] = {"Timeout": TIMEOUT_SECONDS[entry_point], "Environment": {"Variables": environment}}
    if code:
        change["Handler"] = code.handler
        lambda_.update_function_code(FunctionName=function.name, ZipFile=_zipped(code.folder))
        _allow(up, function.name, code.actions)
    lambda_.update_function_configuration(FunctionName=function.name, **change)
    version = lambda_.publish_version(FunctionName=function.name)["Version"]
    lambda_.update_alias(FunctionName=function.name, Name="live", FunctionVersion=version)


def _environment(up: Cluster) -> dict[str, str]:
    """The gate to AWS is a proxy, since calls are signed for the emulator's own address. Close is called past it."""
    return {
        "HTTP_PROXY": up.aws.url,
        "NO_PROXY": "localhost",
        "CLOSE_API_URL": f"{up.close_proxy.url.replace(HOST, 'localhost')}/api/v1/",
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "FALLBACK_DELAY_SECONDS": str(FALLBACK_SECONDS),
    }


def _allow(up: Cluster, function: str, actions: tuple[str, ...]) -> None:
    role = up.client("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    statement = f'{{"Effect": "Allow", "Action": {list(actions)}, "Resource": "*"}}'.replace("'", '"')
    document = f'{{"Version": "2012-10-17", "Statement": [{statement}]}}'
    up.client("iam").put_role_policy(RoleName=role, PolicyName="besides", PolicyDocument=document)


def _zipped(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return packed.getvalue()
