"""Chromium for tests, through Playwright. Installs nothing: without Chromium its tests are skipped.

def test_a_page(chromium):
    with browser.open_page(chromium, "http://127.0.0.1:8000/") as page:
        assert page.title() == "Runs"
    assert page.complaints == [] and page.requested_elsewhere("http://127.0.0.1:8000/") == []
"""

import contextlib
import shutil
from collections.abc import Iterator

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # it does not start as root otherwise, as in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS_TO_ANSWER = 20


@contextlib.contextmanager
def start_chromium():
    """A headless browser; skips the test when there is none.

    To be used for a module at a time: Playwright keeps an event loop running in this thread, in
    which nothing else can call `asyncio.run`.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium: install your system's package `chromium`")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class WatchedPage:
    """A page of Playwright's that remembers what it asked for and what it complained about.

    Attributes:
        complaints: what the console said as a warning or an error, and uncaught exceptions.
        requests: the address of every request.
    """

    def __init__(self, page):
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._keep_message)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))

    def __getattr__(self, name):
        return getattr(self.page, name)

    def requested_elsewhere(self, address: str) -> list[str]:
        """The requests that went to another place than below the address."""
        allowed = (address, "data:", "about:", "blob:")
        return [url for url in self.requests if not url.startswith(allowed)]

    def _keep_message(self, message) -> None:
        if message.type in ("warning", "error"):
            self.complaints.append(f"{message.type}: {message.text}")


@contextlib.contextmanager
def open_page(browser, address: str | None = None, **settings) -> Iterator[WatchedPage]:
    """A page in a context of its own, closed at the end.

    Args:
        address: where to go first.
        settings: of the context, as `Browser.new_context` takes them.
    """
    with contextlib.closing(browser.new_context(**settings)) as context:
        context.set_default_timeout(SECONDS_TO_ANSWER * 1000)
        page = WatchedPage(context.new_page())
        if address:
            page.goto(address)
        yield page
