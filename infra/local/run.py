"""``make run``: brings the stack up, sends the examples through every entry point, and shows outcomes until Ctrl-C."""

import signal
from collections.abc import Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.text import Text

from infra.local.config import Options
from infra.local.console_process import console as local_console
from infra.local.errors import StartupError
from infra.local.examples.example_sender import ExampleSender
from infra.local.examples.examples import Example, Exchange, assign, load_examples
from infra.local.outcomes import Feed
from infra.local.stack import LocalStack, local_stack
from infra.local.ui.next_steps import next_steps
from infra.local.ui.picture import picture
from infra.local.ui.progress import Progress
from infra.local.ui.screen import Screen
from infra.local.ui.summary import summary
from infra.local.ui.table import Table

LONGEST_LAG_SECONDS = 10  # an example with a lost response takes about two list lags
OUTCOMES_SECONDS = 60
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


@dataclass(slots=True)
class Run:
    """One run on a stack that is up."""

    options: Options
    stack: LocalStack
    screen: Screen
    table: Table
    feed: Feed

    @classmethod
    def of(cls, options: Options, stack: LocalStack, console: Console) -> "Run":
        feed = Feed(stack.aws.client("sqs"), stack.outcomes_to_show)
        screen = Screen(console)
        return cls(options, stack, screen, Table(screen), feed)

    def examples(self) -> bool:
        """Send the examples and show the results. Return whether all of them were as expected."""
        if not self.options.examples or not self.stack.close:
            reason = "EXAMPLES=0" if not self.options.examples else "they need the tenants of the simulated Close"
            self.screen.paragraphs(Text(f"\n  No examples are sent: {reason}.\n"))
            return True
        examples = load_examples()
        too_slow = [each for each in examples if not self._has_time_for(each)]
        exchanges = self._send_all([each for each in examples if each not in too_slow])
        self.screen.paragraphs(summary(exchanges, too_slow, self.stack.close))
        if self.options.record:
            _write(self.options.record, picture(exchanges))
        return not any(exchange.faults() for exchange in exchanges)

    def serve(self) -> None:
        """Show outcomes as they arrive, until a signal. Raises ``StartupError`` if a server ends."""
        with local_console(self.options.state) if self.options.console else nullcontext() as url:
            self.screen.commands(next_steps(self.options, self.stack, url))
            while True:
                self.stack.check()
                self.show_outcomes([], 1)

    def show_outcomes(self, exchanges: list[Exchange], wait_seconds: int) -> None:
        for announcement in self.feed.poll(wait_seconds):
            self.table.announced(announcement, assign(announcement, exchanges))

    def _send_all(self, examples: list[Example]) -> list[Exchange]:
        self.screen.paragraphs(Text())
        self.table.head()
        exchanges: list[Exchange] = []
        sender = ExampleSender.of(self.stack)
        for example in examples:
            exchanges.append(sender.send(example))
            self.table.requested(exchanges[-1])
            self.show_outcomes(exchanges, 0)
        self._await_outcomes(exchanges)
        return exchanges

    def _await_outcomes(self, exchanges: list[Exchange]) -> None:
        """Wait for every expected outcome, and then a second more for outcomes that must not be published."""
        rounds = 0
        while rounds < OUTCOMES_SECONDS and any(exchange.waits for exchange in exchanges):
            self.stack.check()
            self.show_outcomes(exchanges, 1)
            rounds += 1
        self.show_outcomes(exchanges, 1)

    def _has_time_for(self, example: Example) -> bool:
        lag = self.options.list_lag_seconds
        return example.close_fault is None or (lag is not None and lag <= LONGEST_LAG_SECONDS)


def main(variables: Mapping[str, str]) -> int:
    """Return the exit code: 1 if the stack cannot run or an example went wrong, 130 if it was interrupted early."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    console, progress = Console(), Progress()
    up = False
    ending = ExitStack()
    try:
        options = Options.from_environment(variables)
        progress.say("\nClose Provisioner on this machine\n")
        stack = ending.enter_context(local_stack(options, progress))
        up = True
        run = Run.of(options, stack, console)
        good = run.examples()
        if not options.once:
            run.serve()
    except StartupError as error:
        console.print(Text(f"\n{error}\n"), soft_wrap=True, highlight=False)
        return 1
    except KeyboardInterrupt:
        progress.say()
        return 0 if up and not options.once else INTERRUPTED
    else:
        return 0 if good else 1
    finally:
        _end(ending, progress, up=up)


def _end(ending: ExitStack, progress: Progress, *, up: bool) -> None:
    """Take the stack down. A second Ctrl-C does not leave half of it running."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if not up:
        ending.close()
        return
    with progress.step("stopping the stack"):
        ending.close()


def _write(path: Path, svg: str) -> None:
    try:
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        reason = f"{path} was not written ({error.strerror})."
        raise StartupError(f"{reason} Set RECORD to a file in a folder that exists.") from None


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
