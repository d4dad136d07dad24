"""The preview of what will be queued: what it shows, how its rows are mended and chosen, and how it is queued."""

import csv
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from semantest_server.models import Comic, Site, Style

from ..conftest import START
from .conftest import on_one_database, unchanged
from .pages import poll as poll_as_worker
from .pages import queue as queue_comic
from .pages import report, show, wire, words
from .previews import fields, press, preview, queue_by_form

WRONG = {
    10: '"A door opens",One,hgih,',
    50: ",One,high,",
    90: "A lamp, a shadow, a cat,One,high,",
    130: '"The cat turns",One,high,../up.png',
    170: '"Rain falls",One,low,',
}
TWO_HUNDRED = "prompt,chapter,priority,filename\n" + "".join(
    WRONG.get(n, f'"Panel {n}, a street",One,high,') + "\n" for n in range(1, 201)
)


def file(text: str, name: str = "cave.csv") -> tuple[io.BytesIO, str]:
    return io.BytesIO(text.encode()), name


def comics(client: FlaskClient) -> list[Any]:
    found: list[Any] = wire(client, "/comics")["comics"]
    return found


def tasks(client: FlaskClient, comic: str) -> dict[int, str]:
    found: list[Any] = []
    cursor = None
    while cursor is not None or not found:
        page = wire(client, "/tasks", comic=comic, limit=200, **({"cursor": cursor} if cursor else {}))
        found, cursor = found + page["tasks"], page["next"]
        if cursor is None:
            break
    return {task["number"]: task["prompt"] for task in found}


def row(html: str, index: int) -> str:
    found = re.search(rf'<tr id="row-{index}".*?</tr>', html, re.DOTALL)
    assert found, f"There is no row {index}."
    return found[0]


def shown(html: str) -> list[int]:
    return [int(index) for index in re.findall(r'<tr id="row-(\d+)"', html)]


def buttons(html: str) -> list[str]:
    return [words(text) for text in re.findall(r"<button[^>]*>(.*?)</button>", html, re.DOTALL)]


# What is shown


def test_every_row_is_shown_as_it_will_be_queued(client: FlaskClient) -> None:
    text = "panel,chapter,strip,prompt,style,filename\n7,One,2,Hero enters,chalk,a/b.png\n,Two,3,Cat turns,,\n"
    html = show(client, preview(client, prompts=text, style=":own", own_style="ink wash"))

    assert "7 line 2 One 2 Hero enters, chalk" in words(row(html, 0))
    assert "a/b.png" in words(row(html, 0))
    assert "8 line 3 Two 3 Cat turns, ink wash" in words(row(html, 1))
    assert "panel-008.png" in words(row(html, 1))
    assert "Queue 2 panels" in buttons(html)


def test_what_comes_from_a_file_is_text_on_the_page(client: FlaskClient) -> None:
    address = preview(client, prompts='prompt,chapter,"<i>x"\n"</textarea><script>alert(1)</script>","<b>",x\n')
    html = show(client, press(client, address, "edit", "0").location)

    assert "<script>alert" not in html
    assert "<b>&lt;" not in html
    assert "<i>" not in html
    assert fields(html)["cell-0-prompt"] == "</textarea><script>alert(1)</script>"


def test_fifty_rows_are_on_a_page(client: FlaskClient) -> None:
    address = preview(client, prompts="\n".join(f"Panel {n}" for n in range(120)))

    assert shown(show(client, address)) == [*range(50)]
    second = press(client, address, "go", "all.2").location
    assert shown(show(client, second)) == [*range(50, 100)]
    assert "Page 2 of 3" in words(show(client, second))
    assert shown(show(client, f"{address}?page=99")) == [*range(100, 120)]
    assert shown(show(client, f"{address}?page=-1&show=what&edit=x")) == [*range(50)]


def test_it_opens_on_the_errors_and_each_is_beside_its_cell(client: FlaskClient) -> None:
    html = show(client, preview(client, file=file(TWO_HUNDRED)))

    assert shown(html) == [9, 49, 89, 129, 169]
    assert "All 200" in buttons(html)
    assert "Errors 5" in buttons(html)
    assert "Priority Must be high, normal or low. Did you mean high?" in words(row(html, 9))
    assert fields(html)["cell-9-priority"] == "hgih"
    assert 'aria-describedby="cell-9-priority-errors"' in row(html, 9)
    assert "This row has 6 cells and the header 4" in words(row(html, 89))
    assert "Line 2 says high, and the priority holds for the whole comic." in words(row(html, 169))
    assert "Queue 195 panels without the 5 that are wrong" in buttons(html)


def test_filters_show_warnings_and_deselected_rows(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters\nHero enters\nThe cat turns\n")
    press(client, address, row=["2"], on=None)

    assert shown(show(client, f"{address}?show=warnings")) == [1]
    assert shown(show(client, f"{address}?show=deselected")) == [2]
    assert shown(show(client, f"{address}?show=errors")) == []
    assert "The same prompt as line 1." in words(show(client, f"{address}?show=warnings"))
    assert "Queue 2 panels" in buttons(show(client, address))


def test_what_is_said_about_the_file_is_said_at_the_top(client: FlaskClient) -> None:
    html = show(client, preview(client, prompts="prompt,captoin\nHero enters,x\n"))

    assert "Line 1: captoin is not known here and is passed over. Did you mean caption?" in words(html)


def test_prompts_that_are_queued_already_are_told(client: FlaskClient) -> None:
    queue_comic(client, "Cave of Echoes", ["Hero enters the cave"])
    html = show(client, preview(client, prompts="Hero enters the cave"))

    assert "The same prompt as panel 1 of Cave of Echoes (comic 1)." in words(html)


# Mending


def test_a_file_with_five_bad_rows_is_mended_and_queued_without_retyping_the_rest(client: FlaskClient) -> None:
    address = preview(client, file=file(TWO_HUNDRED))
    mended = {
        "cell-9-priority": "high",
        "cell-49-prompt": "The missing panel",
        "approved": "89",
        "cell-129-filename": "up.png",
        "cell-169-priority": "",
    }
    response = press(client, address, value="queue", **mended)

    assert response.status_code == 303, words(response.text)
    (comic,) = comics(client)
    found = tasks(client, comic["id"])
    assert len(found) == 200
    assert [found[n] for n in (10, 50, 90, 130, 170)] == [
        "A door opens", "The missing panel", "A lamp, a shadow, a cat", "The cat turns", "Rain falls",
    ]  # fmt: skip
    assert comic["priority"] == "high"


def test_what_is_still_wrong_is_shown_and_what_was_mended_is_kept(client: FlaskClient) -> None:
    address = preview(client, file=file(TWO_HUNDRED))
    response = press(client, address, value="queue", **{"cell-9-priority": "high", "cell-169-priority": "lwo"})

    assert response.status_code == 422
    assert "Nothing was queued yet: 4 rows must be mended or deselected first." in words(response.text)
    assert shown(response.text) == [49, 89, 129, 169]
    assert fields(response.text)["cell-169-priority"] == "lwo"
    assert comics(client) == []
    assert shown(show(client, address)) == [49, 89, 129, 169]


def test_a_row_can_be_opened_and_every_cell_of_it_changed(client: FlaskClient) -> None:
    address = preview(client, prompts="# Chapter: One\nHero enters\nMonster appears")
    opened = press(client, address, "edit", "1").location
    assert opened.endswith("?show=all&edit=1#row-1")
    changed = {
        "cell-1-prompt": "Cat appears", "cell-1-chapter": "Two", "cell-1-strip": "9", "cell-1-panel": "46",
        "cell-1-caption": "Later", "cell-1-speech": "Who?", "cell-1-filename": "/x/cat.png", "cell-1-folder": "cats",
        "cell-1-id": "c-46", "cell-1-notes": "soft", "cell-1-style": ":own", "cell-1-own": "ink",
    }  # fmt: skip
    html = show(client, press(client, opened, **changed).location)

    assert "46 line 3 Two 9 Cat appears, ink" in words(row(html, 1))
    assert "File name: Made relative; it was /x/cat.png" in words(row(html, 1))
    press(client, address, value="queue")
    (task,) = [one for one in wire(client, "/tasks", comic="1")["tasks"] if one["number"] == 46]
    assert (task["outputPath"], task["downloadFolder"], task["correlationId"]) == ("x/cat.png", "cats", "c-46")


def test_a_style_of_a_row_is_the_comics_none_a_preset_or_own_words(client: FlaskClient, engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Style(name="noir", text="noir, high contrast"))
        session.commit()
    address = preview(client, prompts="Hero enters", style="noir")
    for style, own, final in (
        ("none", "", "Hero enters"),
        (":own", "chalk", "Hero enters, chalk"),
        ("", "", "Hero enters, noir, high contrast"),
        ("noir", "", "Hero enters, noir, high contrast"),
    ):
        opened = press(client, address, "edit", "0").location
        press(client, opened, **{"cell-0-style": style, "cell-0-own": own})
        html = show(client, address)
        assert re.search(rf'<div class="text" dir="auto">{final}</div>', html), (style, final)


def test_own_words_go_when_nothing_is_chosen_instead_of_them(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters", style="", own_style="ink")
    opened = str(press(client, address, "edit", "0").location)
    press(client, opened, **{"cell-0-style": "", "cell-0-own": "chalk"})
    assert "Hero enters, chalk" in words(show(client, opened))
    press(client, opened, **{"cell-0-style": ":unsaid"})
    assert "Hero enters, ink" in words(show(client, opened))
    for _ in range(2):
        press(client, opened, style=":unsaid")
        assert "Hero enters, ink" not in words(show(client, opened))


def test_a_row_with_left_over_cells_counts_once_it_is_changed_or_approved(client: FlaskClient) -> None:
    text = "chapter,prompt\nOne,Hero enters, sword drawn\nOne,A cat, a mat\n"
    address = preview(client, prompts=text)
    assert press(client, address, value="queue").status_code == 422
    press(client, address, approved="0", **{"cell-1-prompt": "A cat on a mat"})

    assert shown(show(client, f"{address}?show=errors")) == []
    press(client, address, value="queue")
    assert tasks(client, "1") == {1: "Hero enters, sword drawn", 2: "A cat on a mat"}


def test_cells_that_are_not_sent_and_rows_that_are_not_there_stay_as_they_are(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    odd: dict[str, Any] = {
        "cell-7-prompt": "x",
        "cell-99999-prompt": "x",
        "cell-0-prompts": "x",
        "cell-0-own": "x",
        "row": ["0", "x"],
    }
    assert press(client, address, on=["0", "-1"], approved="77", **odd).status_code == 303
    queued = press(client, address, value="queue")

    assert queued.status_code == 303
    assert tasks(client, "1") == {1: "Hero enters"}


def test_options_can_be_changed_and_what_is_wrong_with_them_is_beside_them(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    refused = press(client, address, value="queue", title="", parallel="many", site="https://A.example/x")

    assert refused.status_code == 422
    assert 'aria-describedby="title-errors"' in refused.text
    assert "Give a whole number, such as 10." in words(refused.text)
    assert fields(refused.text)["parallel"] == "many"
    press(client, address, value="queue", title="Echoes", parallel="3", style=":own", own_style="ink", priority="low")
    (comic,) = comics(client)
    said = [comic[name] for name in ("title", "parallel", "domain", "style", "priority")]
    assert said == ["Echoes", 3, "a.example", "ink", "low"]


# Choosing


def test_a_site_that_no_database_takes_is_an_error_like_any_other(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    press(client, address, site="chat\0gpt.com")
    assert "Must be a site" in words(show(client, address))


def test_deselected_rows_are_not_queued(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters\nA cat turns\nRain falls")
    press(client, address, on=["0", "2"])

    html = show(client, address)
    assert "Queue 2 panels" in buttons(html)
    press(client, address, value="queue")
    assert tasks(client, "1") == {1: "Hero enters", 2: "Rain falls"}


def test_rows_of_other_pages_stay_chosen(client: FlaskClient) -> None:
    address = preview(client, prompts="\n".join(f"Panel {n}" for n in range(60)))
    press(client, f"{address}?page=2", on=None)

    assert "Queue 50 panels" in buttons(show(client, address))


def test_wrong_rows_can_be_left_out_and_the_others_keep_their_numbers(client: FlaskClient) -> None:
    address = preview(client, file=file(TWO_HUNDRED))
    press(client, address, value="queue-good")

    found = tasks(client, "1")
    assert set(found) == {*range(1, 201)} - {10, 50, 90, 130, 170}
    assert "Queued 195 panels." in words(show(client, "/admin/comics/1"))


def test_all_rows_of_a_filter_are_deselected_and_selected_at_once(client: FlaskClient) -> None:
    address = preview(client, prompts="\n".join(["Hero enters"] * 120))
    press(client, f"{address}?show=warnings", value="deselect")
    assert "Queue 1 panel" in buttons(show(client, address))

    press(client, f"{address}?show=deselected", value="select")
    assert "Queue 120 panels" in buttons(show(client, address))


def test_without_a_selected_row_nothing_can_be_queued(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    response = press(client, address, value="queue", on=None)

    assert response.status_code == 422
    assert "No row is selected." in words(response.text)
    assert comics(client) == []


# Queueing


def test_a_second_press_and_a_reload_lead_to_the_same_comic(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    data = {**fields(show(client, address)), "do": "queue"}

    answers = [client.post(address, data=data) for _ in range(2)]

    assert [answer.location for answer in answers] == ["/admin/comics/1", "/admin/comics/1"]
    assert client.get(address).location == "/admin/comics/1"
    assert len(comics(client)) == 1


def test_presses_at_the_same_moment_make_one_comic(app: Flask, client: FlaskClient) -> None:
    address = preview(client, prompts="\n".join(["Hero enters"] * 300))
    data = {**fields(show(client, address)), "do": "queue", "row": [], "on": []}
    cookie = client.get_cookie("semantest")
    assert cookie

    def queue(_: int) -> tuple[int, str]:
        other = app.test_client()
        other.set_cookie("semantest", cookie.value)
        response = other.post(address, data=data)
        return response.status_code, response.location

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(queue, range(4)))

    assert answers == {(303, "/admin/comics/1")}
    assert len(comics(client)) == 1


def test_a_button_says_how_long_it_will_take_once_the_site_has_drawn(client: FlaskClient, engine: Engine) -> None:
    address = preview(client, prompts="\n".join(f"Panel {n}" for n in range(120)))
    assert "Queue 120 panels" in buttons(show(client, address))
    with Session(engine) as session:
        session.add(Site(domain="chatgpt.com"))
        session.flush()
        given = {"parallel": 10, "domain": "chatgpt.com", "download_folder": "x", "completed": 4}
        times = {"created_at": START, "updated_at": START}
        session.add(Comic(title="Before", completions=[0.0, 60.0, 120.0, 180.0], **given, **times))
        session.commit()

    assert "Queue 120 panels, about 2 h" in buttons(show(client, address))


def test_an_id_that_was_taken_meanwhile_is_told(client: FlaskClient) -> None:
    address = preview(client, prompts="prompt,id\nHero enters,a\n")
    queue_by_form(client, prompts="prompt,id\nSomething else,a\n")

    response = press(client, address, value="queue")

    assert response.status_code == 422
    assert "A task that is not finished yet has this id." in words(response.text)
    report(client, poll_as_worker(client)[0], "completed", imageUrl="https://a.example/b.png")
    assert press(client, address, value="queue").status_code == 303


def test_a_preview_can_be_discarded(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters")
    token = fields(show(client, address))["csrf_token"]

    assert client.post(f"{address}/discard", data={"csrf_token": token}).location == "/admin/comics/new"
    assert client.get(address).status_code == 404
    assert comics(client) == []


@on_one_database
@pytest.mark.parametrize("name", ["0" * 32, "x", "x" * 300, "%00", "../x"])
def test_a_preview_that_is_not_there_is_not_found(client: FlaskClient, engine: Engine, name: str) -> None:
    token = fields(show(client, preview(client, prompts="Hero")))["csrf_token"]
    with unchanged(engine):
        for path in (f"/admin/uploads/{name}", f"/admin/uploads/{name}/rows.csv"):
            assert client.get(path).status_code in (400, 404)
        posted = client.post(f"/admin/uploads/{name}", data={"csrf_token": token, "do": "queue"})
        assert posted.status_code in (400, 404)


# The file back


def test_a_title_in_any_script_names_the_file(client: FlaskClient) -> None:
    address = preview(client, prompts="Hero enters", title="Höhle 洞窟")
    named = client.get(f"{address}/rows.csv").headers["Content-Disposition"]
    assert named == "attachment; filename*=UTF-8''h%C3%B6hle-%E6%B4%9E%E7%AA%9F.csv"


def test_the_file_comes_back_with_its_errors_and_can_be_read_again(client: FlaskClient) -> None:
    address = preview(client, prompts='prompt,priority,notes\n"=1+1, a sum",hihg,-x\nHero enters,high,\n')
    press(client, address, **{"cell-1-prompt": "x"})
    html = show(client, address)
    assert f'href="{address}/rows.csv" download' in html

    response = client.get(f"{address}/rows.csv")

    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"] == "attachment; filename=cave-of-echoes.csv"
    table = list(csv.reader(io.StringIO(response.text.removeprefix("\ufeff"), newline="")))
    assert table[0] == ["prompt", "priority", "notes", "errors", "warnings"]
    assert table[1][:4] == ["'=1+1, a sum", "hihg", "'-x", "priority: Must be high, normal or low. Did you mean high?"]
    assert table[2] == ["x", "high", "", "", "prompt: Very short: is this a prompt?"]
    again = show(client, preview(client, title="Again", file=file(response.text.replace("hihg", "high"), "back.csv")))
    assert "=1+1, a sum" in words(row(again, 0))
    assert "'=1+1" not in words(again)
