"""Brings the whole stack up on this machine, and takes it down.

    with local_stack(Options(port=0, list_lag_seconds=1)) as stack:
        stack.http.submit({...})

Every process that it starts ends with the block. If this process is killed, the next run ends them.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from infra.local.api_client import ApiClient
from infra.local.close_process import control_of, start_close
from infra.local.config import Options
from infra.local.deployment import build, deploy, needs_build, parameters_for
from infra.local.emulator import START_SECONDS, LocalAws, start_emulator, tool
from infra.local.errors import StartupError
from infra.local.examples.tenants import close_setup, keep_credentials, new_credentials
from infra.local.outcomes import subscribe_queue
from infra.local.ports import take_port
from infra.local.processes import Process
from infra.local.stack_info import StackDescription
from infra.local.state_dir import StateDir
from infra.local.ui.progress import Progress
from infra.local.webhook_events import keep_source_secrets, new_source_secrets
from infra.simulator import ControlClient


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A stack that is up."""

    aws: LocalAws
    description: StackDescription
    http: ApiClient
    close: ControlClient | None
    """A client of the simulated Close; None if another Close API is used."""
    credentials: Mapping[str, str]
    """The API key of every example tenant. Tests search for them where they must not appear."""
    source_secrets: Mapping[str, str]
    """The signing secret of each source."""
    outcomes_to_show: str
    """A second queue on the topic, for the terminal: ``outcomes_queue_url`` keeps all outcomes for tools and tests."""
    servers: tuple[Process, ...]

    def check(self) -> None:
        """Raise ``StartupError`` with the end of its log if a server has ended."""
        for server in self.servers:
            server.check()


@contextmanager
def local_stack(options: Options, progress: Progress | None = None) -> Iterator[LocalStack]:
    """Yield a stack that is up. Raises ``StartupError`` with a message for the user."""
    with ExitStack() as ending:
        yield _Start(options, StateDir(options.state), progress or Progress(quiet=True), ending).all()


@dataclass(frozen=True, slots=True)
class _Start:
    """The steps of the start. ``ending`` collects the steps that take the stack down, in reverse order."""

    options: Options
    folder: StateDir
    progress: Progress
    ending: ExitStack

    def all(self) -> LocalStack:
        _check_tools()
        for left in self.folder.claim():
            self.progress.say(f"  stopped a process that a killed run left: {left}")
        self.ending.callback(self.folder.release)
        aws = LocalAws(take_port(self.options.port))
        credentials, source_secrets = new_credentials(), new_source_secrets()
        servers, close = self._servers(aws, credentials)
        close_api_url = close.api_url if close else str(self.options.close_api_url)
        with self.progress.step("deploying template.yaml"):
            parameters = parameters_for(self.options, close_api_url)
            outputs = deploy(aws, parameters, self.folder.log("deploy"))
            keep_credentials(aws, outputs["TenantSecretPrefix"], credentials)
            keep_source_secrets(aws, outputs["SourceSecretPrefix"], source_secrets)
            description, to_show = _described(aws, outputs, close_api_url)
        description.write(self.folder.description)
        api = ApiClient(description.api_url)
        return LocalStack(aws, description, api, close, credentials, source_secrets, to_show, servers)

    def _servers(
        self, aws: LocalAws, credentials: Mapping[str, str]
    ) -> tuple[tuple[Process, ...], ControlClient | None]:
        """Start the servers, and build while they come up."""
        emulator = self._kept(start_emulator(aws, self.folder.temporary, self.folder.log("ministack")))
        simulated = None
        if not self.options.close_api_url:
            setup = close_setup(credentials)
            simulated = self._kept(start_close(setup, self.folder.temporary, self.folder.log("close")))
        if needs_build():
            with self.progress.step("building the functions"):
                build(self.folder.log("build"))
        with self.progress.step("starting the local AWS" + (" and the simulated Close" if simulated else "")):
            emulator.wait_until(aws.is_ready, START_SECONDS)
            if simulated is None:
                return (emulator,), None
            return (emulator, simulated), control_of(simulated)

    def _kept(self, process: Process) -> Process:
        self.ending.callback(process.stop)
        self.folder.record(process)
        return process


def _described(aws: LocalAws, outputs: Mapping[str, str], close_api_url: str) -> tuple[StackDescription, str]:
    topic = outputs["OutcomesTopicArn"]
    outcomes, to_show = (subscribe_queue(aws.client, topic, name) for name in ("outcomes", "outcomes-to-show"))
    url = urlsplit(close_api_url)
    return StackDescription.of(aws, outputs, outcomes, f"{url.scheme}://{url.netloc}"), to_show


def _check_tools() -> None:
    missing = [name for name in ("sam", "ministack") if not tool(name).exists()]
    if missing:
        raise StartupError(
            f"Not installed: {', '.join(missing)}. Use `make run`, which installs them first, or run `make install`."
        )
