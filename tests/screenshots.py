"""``python -m tests.screenshots``: takes the pictures of the console in docs/images/, from the running stack."""

import sys

from playwright.sync_api import Browser, Page
from rich.console import Console

from infra.local.config import PROJECT, Options
from infra.local.console_process import console
from infra.local.run import Run
from infra.local.stack import LocalStack, local_stack
from tests.browser import browser

FOLDER = PROJECT / "docs" / "images"
OPTIONS = Options(port=0, list_lag_seconds=2, state=PROJECT / ".local" / "screenshots")
SETTLED_MS = 1500  # a page is live: its first answers have arrived by then


def main() -> int:
    """Return the exit code."""
    with local_stack(OPTIONS) as stack, console(OPTIONS.state) as url, browser() as chromium:
        _send_examples(stack)
        page = _open(chromium, url, 1280, "light")
        _shoot(page, url, "/", "overview")
        _shoot(page, url, "/requests", "requests")
        _shoot(page, url, "/requests?is=recovered", "request", follow=True)
        _shoot(page, url, "/tenants", "tenants")
        _shoot(page, url, "/types?tenant=acme", "types")
        _shoot(page, url, "/dead-letters", "dead-letter-queue")
        _shoot(page, url, "/sources", "sources")
        _shoot(_open(chromium, url, 1280, "dark"), url, "/requests?is=failed", "request-dark", follow=True)
        _shoot(_open(chromium, url, 390, "light"), url, "/", "overview-narrow")
    return 0


def _send_examples(stack: LocalStack) -> None:
    Run.of(OPTIONS, stack, Console(file=sys.stderr)).examples()


def _open(chromium: Browser, url: str, width: int, scheme: str) -> Page:
    height = 860 if width > 700 else 844
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(url)
    return page


def _shoot(page: Page, url: str, path: str, name: str, *, follow: bool = False) -> None:
    """Take a picture of the page, or with ``follow`` of the first request in its list."""
    origin = url.partition("/?")[0]
    page.goto(f"{origin}{path}")
    if follow:
        first = page.locator("tr[data-href]").first.get_attribute("data-href")
        page.goto(f"{origin}{first}")
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=FOLDER / f"console-{name}.png")
    print(f"wrote docs/images/console-{name}.png")


if __name__ == "__main__":
    sys.exit(main())
