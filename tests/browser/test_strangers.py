"""Strangers in real Chromium: hostile pages that try everything on every address, from wherever a page can be.

Each trick is tried on each route of the app, so that a new route is tried too. An attack got in if it read anything,
if the server did what it asked, or if anything in the database differs afterwards. Against the same server without its
guards they do get in.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Playwright

from semantest_server import create_app

from .attacks import Target, targets
from .chromium import Browser, copy_extension
from .conftest import RunServer
from .places import EVIL, PLACES
from .scene import Scene
from .stub_site import StubSite
from .waiting import until
from .watched_server import CANARY

IN_FULL = {"another site"}  # elsewhere, most tricks have fewer targets
ONLY_WITH_ACCOUNTS = {"admin.account", "admin.begin_sign_in", "admin.change_password", "admin.sign_out_everywhere"}
NO_PAGES = {"admin.picture", "admin.activity_file", "admin.export_csv", "admin.export_json", "admin.upload_rows"}
MARKUP = """<img src=x onerror="document.title='stolen'"><script>document.title='stolen'</script>"""


@pytest.fixture(scope="module")
def aims(tmp_path_factory: pytest.TempPathFactory) -> list[Target]:
    """Every route there is."""
    return targets(create_app({"SEMANTEST_INSTANCE": str(tmp_path_factory.mktemp("routes"))}))


@pytest.fixture(scope="module")
def scene(playwright: Playwright, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(playwright, chromium, tmp_path_factory.mktemp("guarded")) as scene:
        scene.server.fill()
        yield scene


@pytest.fixture(scope="module")
def open_scene(playwright: Playwright, chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(playwright, chromium, tmp_path_factory.mktemp("open"), is_open=True) as scene:
        scene.server.fill()
        yield scene


def pages(aims: list[Target]) -> list[str]:
    """The addresses of all pages, and of the parts that they renew."""
    others = NO_PAGES | ONLY_WITH_ACCOUNTS
    return [aim.path for aim in aims if aim.method == "GET" and "admin." in aim.endpoint and aim.endpoint not in others]


# Attacks

OVERTAKEN = (404, 409, 422)  # let in, and too late: tricks run at the same time, and some delete what others change


@pytest.mark.parametrize("place", PLACES)
def test_nothing_gets_in_from(place: str, scene: Scene, aims: list[Target]) -> None:
    outcomes = scene.attack(place, aims, in_full=place in IN_FULL)

    assert not [str(outcome) for outcome in outcomes if outcome.got_in]
    tried = {aim.path for aim in aims}
    assert {one.path for outcome in outcomes for one in outcome.refused} >= tried, "what was not sent was not tried"


@pytest.mark.parametrize("place", ["another site"])
def test_without_the_guards_everything_gets_in_from(place: str, open_scene: Scene, aims: list[Target]) -> None:
    outcomes = open_scene.attack(place, aims)

    got_in = [outcome for outcome in outcomes if outcome.got_in]
    assert len(got_in) > len(outcomes) / 2
    assert sum(bool(outcome.read) for outcome in outcomes) > 10
    assert sum(bool(outcome.changed) for outcome in outcomes) > 10
    asked = [one for outcome in outcomes for one in (*outcome.let_in, *outcome.refused) if one.method != "OPTIONS"]
    reached = {one.path for one in asked if one.status < 400 or one.status in OVERTAKEN}
    assert reached >= {aim.path for aim in aims if aim.endpoint not in ONLY_WITH_ACCOUNTS}


def test_what_browsers_fetch_ahead_for_a_hostile_page_claims_nothing(scene: Scene) -> None:
    polls = {"/tasks/pending", "/pending-tasks"}
    before, asked = scene.server.contents(), len(scene.server.asked())
    scene.browser.context.clear_cookies()  # with one, browsers do not fetch ahead for another site
    page = scene.page(EVIL)
    urls = [scene.server.url + path for path in polls]
    page.evaluate("urls => urls.forEach((url) => READS['speculation rules']({ url }))", urls)

    until(lambda: {one.path for one in scene.server.asked(asked) if one.purpose} == polls, "they are fetched ahead")
    page.close()
    assert scene.server.contents() == before


# Pages


def test_no_page_is_framed_even_by_another_of_ours(scene: Scene, aims: list[Target]) -> None:
    page = scene.page("/admin/")
    framed = page.evaluate(
        """async (addresses) => {
          const shown = await Promise.all(addresses.map(async (address) => {
            const frame = Object.assign(document.createElement('iframe'), { src: address });
            const loaded = new Promise((resolve) => frame.addEventListener('load', resolve));
            document.body.append(frame);
            await loaded;
            return frame.contentDocument === null ? null : address; // what is blocked is of no origin of ours
          }));
          return shown.filter(Boolean);
        }""",
        [*pages(aims), "/admin/comics/1/panels/1/picture", "/admin/nowhere"],
    )
    assert framed == []
    page.close()


def test_a_page_that_opens_one_of_ours_holds_no_handle_on_it(scene: Scene, aims: list[Target]) -> None:
    page = scene.page(EVIL)
    for path in pages(aims):
        with page.context.expect_page() as opening:
            page.evaluate("(address) => { globalThis.opened = open(address); }", scene.server.url + path)
        opened = opening.value
        opened.wait_for_url(lambda address: address != "about:blank")  # where every tab begins, with its opener
        assert opened.evaluate("window.opener") is None, path
        page.wait_for_function("opened.closed")  # the opener is told a moment later
        opened.close()
    page.close()


def test_markup_in_what_is_queued_and_reported_is_shown_as_text(scene: Scene, aims: list[Target]) -> None:
    server = scene.server
    comic = {"title": MARKUP, "style": MARKUP, "prompts": [MARKUP, MARKUP], "downloadFolder": "x"}
    status, queued = server.ask("POST", "/comics", comic)
    assert status == 201
    _, [hand_out] = server.ask("GET", "/tasks/pending?domain=chatgpt.com", **{"X-Worker-Id": MARKUP})
    receipts = [panel["id"] for panel in hand_out["payload"]["panels"]]
    server.ask("PATCH", f"/tasks/{receipts[0]}", {"status": "running", "message": MARKUP})
    server.ask("PATCH", f"/tasks/{receipts[1]}", {"status": "completed", "imageUrl": f"javascript:{MARKUP}"})

    shown = 0
    for path in (f"/admin/comics/{queued['id']}", *pages(aims)):
        page = scene.page(path)
        assert page.title() != "stolen"
        assert (
            page.locator("main img[src=x], main script:not([src^='/static/']), a[href^='javascript:' i]").count() == 0
        )
        shown += page.content().count("&lt;script&gt;")
        page.close()
    assert shown > 5


def test_markup_that_came_in_nevertheless_could_do_nothing(scene: Scene) -> None:
    page = scene.page("/admin/")
    page.evaluate(
        """(evil) => {
          globalThis.broken = [];
          document.addEventListener('securitypolicyviolation', (event) => broken.push(event.effectiveDirective));
          const main = document.querySelector('main');
          main.innerHTML = `
            <p id="styled" style="color: rgb(1, 2, 3)">styled</p>
            <img src="data:," onerror="document.title = 'stolen'">
            <a id="link" href="javascript:document.title='stolen'">link</a>
            <iframe src="${evil}"></iframe><object data="${evil}"></object>
            <form id="form" action="${evil}"><button>Send</button></form>`;
          for (const properties of [{ text: "document.title = 'stolen'" }, { src: `${evil}attacks.js` }]) {
            main.append(Object.assign(document.createElement('script'), properties));
          }
          main.append(Object.assign(document.createElement('base'), { href: evil }));
          document.querySelector('#link').click();
          document.querySelector('#form').submit();
          fetch(evil).catch(() => undefined);
        }""",
        EVIL,
    )
    until(lambda: {"connect-src", "form-action"} <= set(page.evaluate("broken")), "the last of them is refused")
    broken = set(page.evaluate("broken"))
    assert broken >= {"style-src-attr", "script-src-attr", "script-src-elem", "frame-src", "base-uri", "form-action"}
    assert page.title() != "stolen"
    assert page.evaluate("getComputedStyle(document.querySelector('#styled')).color") != "rgb(1, 2, 3)"
    assert page.evaluate("typeof attack") == "undefined"
    assert page.url == f"{scene.server.url}/admin/"
    page.close()


def test_pages_break_none_of_their_own_rules(scene: Scene, aims: list[Target]) -> None:
    page = scene.browser.context.new_page()
    complaints: list[Any] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for path in pages(aims):
        page.goto(scene.server.url + path)
    assert complaints == []
    page.close()


# Extensions: what they may is in the other files; here is the least that one can have


def test_the_documented_client_needs_no_permission_for_the_server(
    playwright: Playwright, chromium: str, run_server: RunServer, site: StubSite, tmp_path: Path
) -> None:
    server = run_server()
    comic = server.queue_comic("A comic", [f"A {CANARY}", f"Another {CANARY}"])
    extension = copy_extension("literal", tmp_path / "literal", server.port)
    manifest = json.loads((extension / "manifest.json").read_text())
    manifest["host_permissions"] = [one for one in manifest["host_permissions"] if "localhost" not in one]
    (extension / "manifest.json").write_text(json.dumps(manifest))

    browser = Browser(playwright, chromium, tmp_path / "profile", extension, site)
    try:
        server.wait_until_finished(comic)
    finally:
        browser.close()
