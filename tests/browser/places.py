"""The places where hostile code runs in a real Chromium, and how it gets there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Frame, Page, Playwright

from .chromium import ARGUMENTS
from .hostile_site import FOLDER, REBOUND, HostileSite

EVIL = "http://evil.example/hostile/"
SAVED = f"<!doctype html><body><script src='{EVIL}attacks.js'></script>"
DATA = "`data:text/html,${encodeURIComponent(text)}`"
BLOB = "URL.createObjectURL(new Blob([text], { type: 'text/html' }))"
ATTACK = "given => attack(...given)"
ATTACK_IN_CONTENT_SCRIPT = """given => new Promise((resolve) => {
  addEventListener('message', ({ data }) => data.outcomes && resolve(data.outcomes));
  postMessage({ attack: given }, '*');
})"""
WITHOUT_DOCUMENT = ("fetch", "XMLHttpRequest", "EventSource", "WebSocket", "beacon")


class Place:
    """A frame in which attacks.js runs, and the address by which it knows the server."""

    def __init__(self, page: Page, frame: Frame, url: str, *, is_content_script: bool = False) -> None:
        self.url = url
        self._page = page
        self._frame = frame
        self._is_content_script = is_content_script

    def tricks(self, kind: str) -> list[str]:
        """The names of all tricks of a kind, `READS` or `WRITES`."""
        names: list[str] = self._frame.evaluate(f"Object.keys({kind})")
        # What is in the document, its page asks for: in a content script only scripts differ.
        return [name for name in names if not self._is_content_script or name.startswith(WITHOUT_DOCUMENT)]

    def attack(self, *given: Any) -> Any:
        """Try a trick of a kind on targets."""
        return self._frame.evaluate(ATTACK_IN_CONTENT_SCRIPT if self._is_content_script else ATTACK, list(given))

    def close_tabs(self) -> None:
        """Close the tabs that were opened from here, once they are where they were sent."""
        for page in self._page.context.pages:
            if page != self._page:
                page.wait_for_load_state("domcontentloaded")
                page.close()


class HostileBrowser:
    """A browser that finds the hostile site under its names, and trusts it no less than others."""

    def __init__(self, playwright: Playwright, executable: str, folder: Path, site: HostileSite) -> None:
        self.site = site
        self._folder = folder
        self.server = f"http://localhost:{site.server_port}"
        extension = folder / "extension"
        shutil.copytree(FOLDER / "extension", extension)
        shutil.copy(FOLDER / "attacks.js", extension)
        self.context: BrowserContext = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=executable,
            headless=True,
            args=[
                *ARGUMENTS,
                f"--host-resolver-rules={site.resolver_rules}",
                f"--load-extension={extension}",
                f"--disable-extensions-except={extension}",
            ],
        )

    def place(self, name: str) -> Place:
        """Go to the place of that name."""
        for page in self.context.pages[1:]:
            page.close()
        return PLACES[name](self, self.context.new_page())

    def close(self) -> None:
        """Close the browser."""
        self.context.close()

    def another_site(self, page: Page, address: str = EVIL, url: str = "") -> Place:
        """Under a name of its own."""
        page.goto(address)
        return Place(page, page.main_frame, url or self.server)

    def another_port(self, page: Page, host: str = "localhost") -> Place:
        """On this machine, and so of the same site: cookies go along, `SameSite=Strict` ones too."""
        address = f"http://{host}:{self.site.port}/hostile/"
        return self.another_site(page, address, f"http://{host}:{self.site.server_port}")

    def sandboxed_frame(self, page: Page) -> Place:
        """In a frame whose origin is `null`."""
        page.goto(f"{EVIL}sandbox")
        return Place(page, _frame(page, "sandboxed"), self.server)

    def made_page(self, page: Page, address: str) -> Place:
        """In a frame whose page another page has made; `address` is an expression for it, given its text."""
        page.goto(EVIL)
        page.evaluate(
            f"""async (text) => {{
              const frame = Object.assign(document.createElement('iframe'), {{ name: 'made', src: {address} }});
              const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
              document.body.append(frame);
              await loaded;
            }}""",
            SAVED,
        )
        return Place(page, _frame(page, "made"), self.server)

    def file_page(self, page: Page) -> Place:
        """In a page that somebody has saved and opened."""
        saved = self._folder / "saved.html"
        saved.write_text(SAVED)
        return self.another_site(page, saved.as_uri())

    def rebound_name(self, page: Page) -> Place:
        """Under a name that leads to the server by now: to the browser, the server is where the page came from."""
        address = f"http://{REBOUND}:{self.site.server_port}"
        return self.another_site(page, f"{address}/hostile/", address)

    def content_script(self, page: Page) -> Place:
        """In a script that an extension with every permission has put into a hostile page."""
        page.goto(f"{EVIL}content-script")
        page.locator("html[data-ready]").wait_for(state="attached")
        return Place(page, page.main_frame, self.server, is_content_script=True)


PLACES: dict[str, Callable[[HostileBrowser, Page], Place]] = {
    "another site": HostileBrowser.another_site,
    "another site over https": lambda browser, page: browser.another_site(page, "https://evil.example/hostile/"),
    "another port of localhost": HostileBrowser.another_port,
    "a name below localhost": lambda browser, page: browser.another_port(page, "evil.localhost"),
    "a rebound name": HostileBrowser.rebound_name,
    "a sandboxed frame": HostileBrowser.sandboxed_frame,
    "a data page": lambda browser, page: browser.made_page(page, DATA),
    "a blob page": lambda browser, page: browser.made_page(page, BLOB),
    "a file": HostileBrowser.file_page,
    "a content script": HostileBrowser.content_script,
}


def _frame(page: Page, name: str) -> Frame:
    frame = page.frame(name)
    assert frame is not None
    frame.wait_for_load_state()
    return frame
