"""A real Chromium with one extension loaded and a tab or more of the stub site."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Playwright, Worker

from .stub_site import DOMAIN, StubSite
from .waiting import until

EXTENSIONS = Path(__file__).parent / "extensions"
REFERENCE = Path(__file__).parents[2] / "examples" / "extension"
SHIPPED_PORTS = ("3003", "8080")
ALARM_SECONDS = 1  # unpacked extensions may have alarms this short

ARGUMENTS = (
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--ignore-certificate-errors",
)


def find_chromium(playwright: Playwright) -> str | None:
    """The Chromium to drive: the system's, else Playwright's own, else None. Chrome loads no unpacked extension."""
    for name in ("chromium", "chromium-browser"):
        path = shutil.which(name)  # what it finds may be a placeholder that starts nothing
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def copy_extension(name: str, target: Path, port: int, token: str = "") -> Path:
    """Copy an extension of these tests, or the shipped `reference`, and point it at the port, with its token."""
    shutil.copytree(REFERENCE if name == "reference" else EXTENSIONS / name, target, dirs_exist_ok=True)
    for path in target.iterdir():
        text = path.read_text()
        for shipped in SHIPPED_PORTS:
            text = text.replace(f"localhost:{shipped}", f"localhost:{port}")
        path.write_text(text)
    if name == "reference":
        config = {"SERVER": f"http://localhost:{port}", "TOKEN": token, "ALARM_MINUTES": ALARM_SECONDS / 60}
        exports = [f"export const {key} = {json.dumps(value)};\n" for key, value in config.items()]
        (target / "config.js").write_text("".join(exports))
    return target


class Browser:
    """One browser profile with one extension."""

    def __init__(self, playwright: Playwright, executable: str, profile: Path, extension: Path, site: StubSite) -> None:
        self.context: BrowserContext = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            viewport={"width": 1200, "height": 1000},
            args=[
                *ARGUMENTS,
                f"--host-resolver-rules=MAP {DOMAIN}:443 127.0.0.1:{site.port}",
                f"--load-extension={extension}",
                f"--disable-extensions-except={extension}",
            ],
        )
        self._first_page = self.context.pages[0]

    def open(self, url: str) -> Page:
        """Open a tab."""
        page = self.context.new_page()
        page.goto(url)
        return page

    def open_site(self) -> Page:
        """Open a tab of the site that draws."""
        page = self.open(f"https://{DOMAIN}/")
        page.get_by_role("button", name="Send").wait_for()
        return page

    def service_worker(self) -> Worker:
        """The extension's service worker, once it is running."""

        def running() -> Worker | None:
            self._first_page.evaluate("0")  # lets Playwright notice what has started and ended meanwhile
            return self.context.service_workers[-1] if self.context.service_workers else None

        return until(running, "the service worker runs")

    def storage(self) -> dict[str, Any]:
        """All that the extension keeps in chrome.storage.local."""

        def read() -> dict[str, Any] | None:
            try:
                kept: dict[str, Any] = self.service_worker().evaluate("() => chrome.storage.local.get()")
            except Error:  # it has just been killed
                return None
            return kept

        return until(read, "the extension's storage can be read")

    def held_panels(self) -> list[dict[str, Any]]:
        """What the reference extension holds: panels to be drawn, and panels whose report is to be delivered."""
        return [panel for key, panel in self.storage().items() if key.startswith("panel:")]

    def forget_all_but_worker_id(self) -> None:
        """Make the extension lose what it holds, as if it had been killed before it had saved it."""
        self.service_worker().evaluate(
            """async () => {
              const { workerId } = await chrome.storage.local.get('workerId');
              await chrome.storage.local.clear();
              await chrome.storage.local.set({ workerId });
            }"""
        )

    def kill_service_worker(self) -> None:
        """Kill the service worker, as Chrome does with an idle one; the next alarm starts another."""
        worker = self.service_worker()
        worker.evaluate("() => { globalThis.isOld = true; }")
        session = self.context.new_cdp_session(self._first_page)

        def is_dead() -> bool:
            running = session.send("Target.getTargets")["targetInfos"]
            if not any(target["type"] == "service_worker" for target in running):
                return True
            return not worker.evaluate("() => globalThis.isOld")  # to Playwright, its successor is the same

        session.send("ServiceWorker.enable")
        session.send("ServiceWorker.stopAllWorkers")
        until(is_dead, "the service worker is dead")
        session.detach()

    def close(self) -> None:
        """Close the browser."""
        self.context.close()
