"""Takes the pictures of the README: `make screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from .chromium import find_chromium
from .server import Server
from .studio import TITLE, UPLOAD, open_studio

FOLDER = Path(__file__).parents[2] / "docs"
WIDTH, HEIGHT = 1200, 860
SHARPNESS = 1.5  # device pixels to one of the page's


def take_all() -> None:
    """Fill a server of its own, and take every picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), max_attempts=1)
        server.start()
        try:
            open_studio(server, pixels=200)
            browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=["--no-sandbox"])
            take(browser, server)
            browser.close()
        finally:
            server.stop()


def take(browser: Browser, server: Server) -> None:
    """The first page, a comic in the dark, and a file that is looked through before it is queued."""
    page = open_page(browser, "light")
    page.goto(f"{server.url}/admin/")
    keep(page, "home.png")
    page = open_page(browser, "dark")
    page.goto(f"{server.url}/admin/")
    page.get_by_role("link", name=TITLE).first.click()
    keep(page, "comic.png")
    page = open_page(browser, "light")
    page.goto(f"{server.url}/admin/comics/new")
    page.get_by_label("Title").fill("The second book")
    page.get_by_label("File").set_input_files({"name": "book.csv", "mimeType": "text/csv", "buffer": UPLOAD.encode()})
    page.get_by_role("button", name="Preview").click()
    keep(page, "preview.png")


def open_page(browser: Browser, theme: str) -> Page:
    """A page in a light or dark theme."""
    return browser.new_page(
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": WIDTH, "height": HEIGHT},
        device_scale_factor=SHARPNESS,
    )


def keep(page: Page, name: str) -> None:
    """Write what is seen of a page into the folder of the docs."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / name)
    print(f"docs/{name}")


if __name__ == "__main__":
    take_all()
