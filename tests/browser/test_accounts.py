"""A server with accounts in real Chromium: signing in and out, tokens, and hostile pages in a signed-in browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from semantest_server import create_app

from .attacks import PASSWORD, Target, targets
from .chromium import ARGUMENTS
from .conftest import LaunchBrowser
from .places import EVIL
from .scene import Scene
from .stub_site import StubSite
from .waiting import until
from .watched_server import CANARY, WatchedServer

SCREENSHOTS = Path(__file__).parent / "screenshots"
WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
PLACES = ("another port of localhost", "another site")


@pytest.fixture(scope="module")
def aims(tmp_path_factory: pytest.TempPathFactory) -> list[Target]:
    """Every route there is."""
    return targets(create_app({"SEMANTEST_INSTANCE": str(tmp_path_factory.mktemp("routes"))}))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedServer]:
    server = WatchedServer(tmp_path_factory.mktemp("accounts"), accounts=1)
    server.command("account", "add", CANARY, "--password", PASSWORD)
    server.start()
    server.fill(server.command("token", "create", f"{CANARY} admin", "--scope", "admin").strip())
    yield server
    server.stop()
    print(server.log())
    assert "Traceback" not in server.log()


@pytest.fixture(scope="module")
def browsers(playwright: Playwright, chromium: str) -> Iterator["Browsers"]:
    browsers = Browsers(playwright, chromium)
    yield browsers
    browsers.close()


class Browsers:
    """Browsers of several people, in one process: they share nothing that pages can see."""

    def __init__(self, playwright: Playwright, chromium: str) -> None:
        self._chromium = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))

    def another(self, **options: object) -> BrowserContext:
        """A browser that has been nowhere yet."""
        return self._chromium.new_context(**options)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close all of them."""
        self._chromium.close()


def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form of the page that is open, and send it."""
    page.get_by_label("Name").fill(CANARY)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def signed_in(browser: BrowserContext, server: WatchedServer, path: str = "/admin/") -> Page:
    """A tab in which somebody went to a page, was asked who they are, and was led there."""
    page = browser.new_page()
    page.goto(server.url + path)
    sign_in(page)
    page.wait_for_url(server.url + path)
    return page


# Signing in and out


def test_whoever_is_not_signed_in_is_asked_and_then_led_to_where_they_wanted(
    server: WatchedServer, browsers: Browsers
) -> None:
    page = browsers.another().new_page()
    page.goto(f"{server.url}/admin/comics/1?status=completed")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text(CANARY)).to_have_count(0)
    sign_in(page, "a wrong password")
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    sign_in(page)

    page.wait_for_url("**/admin/comics/1?status=completed")
    expect(page.get_by_role("heading", name=f"The {CANARY} sings")).to_be_visible()


def test_nobody_is_led_to_another_site(server: WatchedServer, browsers: Browsers) -> None:
    for address in (EVIL, "//evil.example/", "/\\evil.example/", "/admin/\\..//evil.example", "javascript:alert(1)"):
        page = browsers.another().new_page()
        page.goto(f"{server.url}/admin/sign-in?next={address}")
        sign_in(page)
        page.wait_for_url(f"{server.url}/admin/")
        page.context.close()


def test_pages_cannot_read_the_cookie_and_other_sites_do_not_send_it(server: WatchedServer, browsers: Browsers) -> None:
    browser = browsers.another()
    page = signed_in(browser, server)

    assert page.evaluate("document.cookie") == ""
    [cookie] = browser.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] in ("Lax", "Strict")
    assert cookie["domain"] == "localhost", "no name below it gets it"


def test_a_cookie_from_before_signing_in_does_not_become_one_that_is_signed_in(
    server: WatchedServer, browsers: Browsers
) -> None:
    browser, thief = browsers.another(), browsers.another()
    browser.new_page().goto(f"{server.url}/admin/sign-in")
    thief.add_cookies(browser.cookies())  # type: ignore[arg-type]
    signed_in(browser, server)

    page = thief.new_page()
    page.goto(f"{server.url}/admin/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_signing_out_ends_the_sign_in_even_for_a_copy_of_its_cookie(server: WatchedServer, browsers: Browsers) -> None:
    browser, thief = browsers.another(), browsers.another()
    page = signed_in(browser, server)
    thief.add_cookies(browser.cookies())  # type: ignore[arg-type]

    page.get_by_role("button", name="Sign out", exact=True).click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    expect(page.get_by_text(CANARY)).to_have_count(0)
    for one in (page, thief.new_page()):
        one.goto(f"{server.url}/admin/")
        expect(one.get_by_role("heading", name="Sign in")).to_be_visible()


def test_signing_out_everywhere_signs_out_the_other_browser_too(server: WatchedServer, browsers: Browsers) -> None:
    here, there = (signed_in(browsers.another(), server, path) for path in ("/admin/account", "/admin/comics/1"))
    here.reload()
    assert here.get_by_role("table").get_by_role("row").count() >= 3

    here.get_by_role("button", name="Sign out everywhere").click()

    expect(here.get_by_role("heading", name="Sign in")).to_be_visible()
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_page_that_renews_itself_leads_to_the_sign_in_once_it_has_ended(
    server: WatchedServer, browsers: Browsers
) -> None:
    browser = browsers.another()
    page = signed_in(browser, server)
    other = browser.new_page()
    other.goto(f"{server.url}/admin/account")
    other.get_by_role("button", name="Sign out", exact=True).click()

    page.bring_to_front()
    page.wait_for_url("**/admin/sign-in*")


# Tokens


def test_a_token_made_on_the_page_opens_the_poll_until_it_is_revoked(server: WatchedServer, browsers: Browsers) -> None:
    page = signed_in(browsers.another(), server, "/admin/tokens")
    page.get_by_label("Name").fill("the browser in the attic")
    page.get_by_label("Scope").select_option("worker")
    page.get_by_role("button", name="Make a token").click()
    token = page.locator("#new-token").inner_text()

    bearer = {"Authorization": f"Bearer {token}"}
    assert server.ask("GET", "/tasks/pending")[0] == 401
    status, [hand_out] = server.ask("GET", "/tasks/pending?limit=1", **bearer)
    assert (status, hand_out["payload"]["batchId"]) == (200, "1")
    assert server.ask("GET", "/comics", **bearer)[0] == 403

    page.goto(f"{server.url}/admin/tokens")
    assert token not in page.content()
    row = page.get_by_role("row", name=re.compile("the browser in the attic"))
    expect(row).to_contain_text("worker")
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name=re.compile("the browser in the attic"))).to_contain_text("revoked")
    assert server.ask("GET", "/tasks/pending", **bearer) == (401, [])


# Strangers


@pytest.fixture(scope="module")
def scene(
    playwright: Playwright, chromium: str, server: WatchedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    with Scene(playwright, chromium, tmp_path_factory.mktemp("scene"), server) as scene:
        signed_in(scene.browser.context, server)
        yield scene


@pytest.mark.parametrize("place", PLACES)
def test_in_a_browser_that_is_signed_in_nothing_gets_in_from(place: str, scene: Scene, aims: list[Target]) -> None:
    outcomes = scene.attack(place, aims)

    assert not [str(outcome) for outcome in outcomes if outcome.got_in]
    refused = {one.path for outcome in outcomes for one in outcome.refused}
    assert refused >= {aim.path for aim in aims}, "what was not sent was not tried"
    expect(scene.page("/admin/").get_by_role("button", name="Sign out", exact=True)).to_be_visible()


def test_without_the_guards_the_cookie_lets_another_port_in(
    playwright: Playwright, chromium: str, aims: list[Target], tmp_path: Path
) -> None:
    server = WatchedServer(tmp_path, is_open=True, accounts=1)
    server.command("account", "add", CANARY, "--password", PASSWORD)
    server.command("token", "create", CANARY)
    with Scene(playwright, chromium, tmp_path, server) as scene:
        page = signed_in(scene.browser.context, server)
        forms = [aim for aim in aims if aim.endpoint in ("admin.tokens", "admin.create_token", "admin.queue_comic")]
        outcomes = scene.attack("another port of localhost", forms, in_full=True)
        page.close()
    assert sum(bool(outcome.read) for outcome in outcomes) > 3
    assert any("token" in outcome.changed for outcome in outcomes)
    assert sum("upload" in outcome.changed for outcome in outcomes) > 3


# The extension


def test_the_reference_extension_draws_with_the_token_of_its_browser(
    server: WatchedServer, launch: LaunchBrowser, site: StubSite
) -> None:
    admin = f"Bearer {server.command('token', 'create', 'who queues', '--scope', 'admin').strip()}"
    prompts = [f"Hero with a token, {number}" for number in range(3)]
    comic = {"title": "Drawn with a token", "prompts": prompts, "priority": "high"}
    status, queued = server.ask("POST", "/comics", comic, Authorization=admin)
    assert status == 201

    browser = launch("reference", server.port, server.command("token", "create", "studio laptop").strip())
    browser.open_site()

    def tasks() -> list[dict[str, Any]]:
        found = server.ask("GET", f"/tasks?comic={queued['id']}", Authorization=admin)[1]["tasks"]
        return sorted(found, key=lambda task: int(task["number"]))

    until(lambda: {task["status"] for task in tasks()} == {"completed"}, "the comic is drawn")
    assert {task["worker"] for task in tasks()} == {"studio laptop"}
    assert [task["prompt"] for task in tasks()] == prompts


# Looks


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_of_accounts_fit_on_every_screen(
    width: int, scheme: str, server: WatchedServer, browsers: Browsers
) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    browser = browsers.another(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = browser.new_page()

    def look(name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"

    page.goto(f"{server.url}/admin/sign-in")
    look("sign-in")
    page.get_by_role("button", name="Sign in").click()
    look("sign-in-wrong")
    sign_in(page)
    page.wait_for_url(f"{server.url}/admin/")
    page.goto(f"{server.url}/admin/account")
    look("account")
    page.goto(f"{server.url}/admin/tokens")
    page.get_by_label("Name").fill(f"the browser in the attic, {width} {scheme}")
    page.get_by_role("button", name="Make a token").click()
    page.locator("#new-token").wait_for()
    look("tokens")
