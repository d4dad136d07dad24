"""Fixtures of the browser tests: a server that really runs, a stub site, and Chromium with an extension."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser as PlainBrowser
from playwright.sync_api import Playwright, expect, sync_playwright

from .chromium import Browser, copy_extension, find_chromium
from .gate import Gate
from .server import Server
from .stub_site import StubSite
from .studio import open_studio
from .waiting import DEADLINE_SECONDS

RunServer = Callable[..., Server]
LaunchBrowser = Callable[..., Browser]
OpenGate = Callable[[Server], Gate]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        expect.set_options(timeout=DEADLINE_SECONDS * 1000)  # it would be 5 seconds, which a busy machine can take
        yield running


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> str:
    path = find_chromium(playwright)
    if path is None:
        pytest.skip("NO BROWSER TEST HAS RUN: install Chromium, or run `playwright install chromium`")
    return path


@pytest.fixture(scope="session")
def plain_browser(playwright: Playwright, chromium: str) -> Iterator[PlainBrowser]:
    """Chromium as a person has it who only looks at pages; each test opens a context of its own."""
    launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    yield launched
    launched.close()


@pytest.fixture(scope="module")
def studio(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with comics in every state; the tests of a module share it."""
    server = Server(tmp_path_factory.mktemp("studio"), max_attempts=1)
    server.start()
    try:
        open_studio(server)
        yield server
    finally:
        server.kill()  # it would wait for connections that browsers keep
    assert "Traceback" not in server.log()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[StubSite]:
    running = StubSite(tmp_path)
    yield running
    running.close()


@pytest.fixture
def run_server(tmp_path: Path, chromium: str) -> Iterator[RunServer]:
    """Starts a server with the settings given, `ack_seconds=3` say. Its log is shown if the test fails."""
    started: list[Server] = []

    def run(**settings: float) -> Server:
        server = Server(tmp_path, **settings)
        started.append(server)
        server.start()
        return server

    yield run
    for server in started:
        server.stop()
        print(server.log())
        assert "Traceback" not in server.log()


@pytest.fixture
def open_gate() -> Iterator[OpenGate]:
    """Opens a gate in front of a server."""
    with ExitStack() as stack:

        def open_it(server: Server) -> Gate:
            gate = Gate(server.port)
            stack.callback(gate.close)
            return gate

        yield open_it


@pytest.fixture
def launch(
    playwright: Playwright, chromium: str, tmp_path: Path, site: StubSite, run_server: RunServer
) -> Iterator[LaunchBrowser]:
    """Launches Chromium with an extension that polls the port; it is closed before the server stops."""
    with ExitStack() as stack:

        def launch_it(extension: str, port: int, token: str = "") -> Browser:
            copied = copy_extension(extension, tmp_path / extension, port, token)
            browser = Browser(playwright, chromium, tmp_path / "profile", copied, site)
            stack.callback(browser.close)
            return browser

        yield launch_it
