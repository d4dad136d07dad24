"""Every page for everyone: axe-core finds nothing on any of them, in light and dark, on a phone and a wide screen."""

from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from semantest_server import create_app

from .server import Server
from .studio import UPLOAD

# Every page that a person opens, by its endpoint.
PAGES = {
    "admin.home": ["/admin/"],
    "admin.comics": ["/admin/comics"],
    "admin.comic": ["/admin/comics/2", "/admin/comics/2?status=failed", "/admin/comics/2?view=grid", "/admin/comics/1"],
    "admin.panel": ["/admin/comics/2/panels/1", "/admin/comics/2/panels/10", "/admin/comics/2/panels/22"],
    "admin.replace": ["/admin/comics/2/replace?status=queued"],
    "admin.new_comic": ["/admin/comics/new"],
    "admin.workers": ["/admin/workers"],
    "admin.activity": ["/admin/activity", "/admin/activity?type=failed"],
    "admin.settings": ["/admin/settings"],
    "admin.styles": ["/admin/styles"],
    "admin.tokens": ["/admin/tokens"],
    "admin.sign_in": ["/admin/sign-in"],
}
OPENED_BY_A_STEP = {"admin.upload", "admin.account"}  # looked at below, and in test_accounts.py
PARTS_AND_FILES = {
    "admin.activity_file",
    "admin.activity_live",
    "admin.comic_panels",
    "admin.comic_progress",
    "admin.comics_live",
    "admin.composed_row",
    "admin.export_csv",
    "admin.export_json",
    "admin.home_live",
    "admin.panel_history",
    "admin.panel_state",
    "admin.picture",
    "admin.sites",  # leads to the settings
    "admin.upload_rows",
    "admin.workers_live",
}
MISSING = "/admin/comics/999"
SCREENS = {"a phone in the light": (360, 780, "light"), "a wide screen in the dark": (1280, 900, "dark")}


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_no_violation_on_any_page(studio: Server, plain_browser: Browser, screen: str) -> None:
    width, height, theme = SCREENS[screen]
    dark: Literal["dark", "light"] = "dark" if theme == "dark" else "light"
    context = plain_browser.new_context(color_scheme=dark, viewport={"width": width, "height": height})
    page = context.new_page()
    found = {path: violations(page, studio.url + path) for path in [*addresses(), MISSING]}
    found["preview"] = violations(page, preview(page, studio))
    context.close()
    assert {path: found for path, found in found.items() if found} == {}


def preview(page: Page, studio: Server) -> str:
    """The address of a file that is being looked through."""
    page.goto(f"{studio.url}/admin/comics/new")
    page.get_by_label("Title").fill("The second book")
    page.get_by_label("File").set_input_files({"name": "book.csv", "mimeType": "text/csv", "buffer": UPLOAD.encode()})
    page.get_by_role("button", name="Preview").click()
    return page.url


def test_no_page_is_wider_than_a_phone(studio: Server, plain_browser: Browser) -> None:
    context = plain_browser.new_context(viewport={"width": 360, "height": 780})
    page = context.new_page()
    wide = {}
    for path in addresses():
        page.goto(studio.url + path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert {path: width for path, width in wide.items() if width > 360} == {}


def test_every_page_is_among_those_looked_at(tmp_path: Path) -> None:
    app = create_app({"SEMANTEST_INSTANCE": str(tmp_path)})
    opened = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert {name for name in opened if name.startswith("admin.")} == {*PAGES, *OPENED_BY_A_STEP, *PARTS_AND_FILES}


def addresses() -> list[str]:
    """What is looked at."""
    return [path for paths in PAGES.values() for path in paths]


def violations(page: Page, url: str) -> list[str]:
    """What axe-core says of a page, in short."""
    page.goto(url)
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {', '.join(str(node['target'][0]) for node in one['nodes'][:3])}" for one in found]


def test_axe_would_find_something(plain_browser: Browser) -> None:
    page = plain_browser.new_page()
    page.set_content("<html><body><img src='x'><p style='color: #ccc; background: #fff'>Pale</p></body></html>")
    found = {one["id"] for one in Axe().run(page).response["violations"]}
    page.close()
    assert {"image-alt", "color-contrast"} <= found
