"""A server, a hostile site, and one browser that knows both."""

from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, Playwright

from .attacks import Attack, Outcome, Target
from .hostile_site import HostileSite
from .places import HostileBrowser
from .watched_server import WatchedServer


class Scene(ExitStack):
    """What a test of strangers needs."""

    def __init__(
        self, playwright: Playwright, chromium: str, folder: Path, server: WatchedServer | None = None, **settings: bool
    ) -> None:
        super().__init__()
        self.server = server or WatchedServer(folder, **settings)
        if not self.server.is_running:
            self.callback(self._stop)
            self.server.start()
        site = HostileSite(folder, self.server.port)
        self.callback(site.close)
        self.browser = HostileBrowser(playwright, chromium, folder, site)
        self.callback(self.browser.close)

    def attack(self, place: str, aims: list[Target], *, in_full: bool = False) -> list[Outcome]:
        """What comes of every trick, tried from there."""
        attack = Attack(self.server, self.browser.place(place))
        return attack.run(aims, in_full=in_full)

    def page(self, address: str) -> Page:
        """A tab at an address, or at a path of the server."""
        page = self.browser.context.new_page()
        page.goto(address if "//" in address else self.server.url + address)
        return page

    def _stop(self) -> None:
        self.server.stop()
        print("\n".join(line for line in self.server.log().splitlines() if "_refused" not in line))
        assert "Traceback" not in self.server.log()
