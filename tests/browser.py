"""The distribution's own Chromium, driven by Playwright, for tests and for the pictures of the documentation."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",  # a container has no user namespace for one; only pages of this project are opened
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class NoBrowser(RuntimeError):
    """No Chromium is installed."""


def executable() -> str:
    """Return the path of Chromium. Raises ``NoBrowser`` with how to get it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser("No Chromium is installed: run `apt-get install chromium` (macOS: `brew install chromium`).")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser that closes with the block."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        try:
            yield opened
        finally:
            opened.close()
