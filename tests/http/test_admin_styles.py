"""The styles: presets that are listed, added, changed and removed, and what is queued keeps what it has."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from semantest_server.queue.preferences import begin
from semantest_server.queue.styles import presets

from .pages import fields, queue, send, show, wire, words

PAGE = "/admin/styles"


@pytest.fixture(autouse=True)
def noir(client: FlaskClient, engine: Engine) -> int:
    """The id of a preset."""
    with Session(engine) as session:
        begin(session, {"noir": "high contrast"})
        session.commit()
        return presets(session)[0].id


def kept(engine: Engine) -> dict[str, str]:
    with Session(engine) as session:
        return {preset.name: preset.text for preset in presets(session)}


def change(client: FlaskClient, style: int, **given: str) -> TestResponse:
    path = f"{PAGE}/{style}"
    return send(client, path, PAGE, **{f"style-{style}-{name}": value for name, value in given.items()})


def drawn(client: FlaskClient) -> str:
    """The final prompt that is handed out next."""
    [hand_out] = wire(client, "/tasks/pending", "studio", limit=1)
    prompt: str = hand_out["payload"]["panels"][0]["prompt"]
    return prompt


def test_presets_are_shown_with_an_example(client: FlaskClient) -> None:
    text = words(show(client, PAGE))

    assert "1 style noir Hero enters the cave, high contrast" in text
    assert "to change a style changes nothing that is queued" in text


def test_a_preset_is_added(client: FlaskClient, engine: Engine) -> None:
    response = send(client, PAGE, PAGE, name=" ink ", text="black ink")

    assert response.status_code == 303
    assert "Added ink." in words(show(client, response.location))
    assert kept(engine) == {"ink": "black ink", "noir": "high contrast"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("", "black ink", "Must have 1 to 50 characters."),
        ("ink", "", "Must have 1 to 500 characters."),
        ("x" * 51, "black ink", "Must have 1 to 50 characters."),
        ("None", "black ink", "means no style; choose another name."),
        ("NOIR", "black ink", "There is a style NOIR already."),
        ("i\x07nk", "black ink", "Must not contain control characters"),
    ],
)
def test_a_preset_that_cannot_be_is_kept_in_the_form(
    client: FlaskClient, engine: Engine, name: str, text: str, said: str
) -> None:
    response = send(client, PAGE, PAGE, name=name, text=text)

    assert response.status_code == 422
    assert said in words(response.text)
    assert (fields(response.text, PAGE)["name"], fields(response.text, PAGE)["text"]) == (name, text)
    assert kept(engine) == {"noir": "high contrast"}


def test_a_preset_is_changed_and_what_is_queued_keeps_it(client: FlaskClient, engine: Engine, noir: int) -> None:
    queue(client, prompts=["Hero"], style="noir")

    response = change(client, noir, name="noir", text="deep shadows")

    assert response.status_code == 303
    assert response.location == f"{PAGE}#style-{noir}"
    assert "What is queued keeps the style that it was queued with." in words(show(client, PAGE))
    assert kept(engine) == {"noir": "deep shadows"}
    assert drawn(client) == "Hero, high contrast"


def test_a_wrong_change_is_kept_in_its_own_form(client: FlaskClient, engine: Engine, noir: int) -> None:
    response = change(client, noir, text=" ")

    assert response.status_code == 422
    assert "Must have 1 to 500 characters." in words(response.text)
    assert '<details class="settings" open>' in response.text
    assert fields(response.text, PAGE) | {"csrf_token": ""} == {"csrf_token": "", "name": "", "text": ""}
    assert kept(engine) == {"noir": "high contrast"}


def test_a_preset_is_removed_and_what_is_queued_keeps_it(client: FlaskClient, engine: Engine, noir: int) -> None:
    queue(client, prompts=["Hero"], style="noir")

    response = send(client, f"{PAGE}/{noir}/remove", PAGE)

    assert "Removed noir." in words(show(client, response.location))
    assert "There are no styles." in words(show(client, PAGE))
    assert kept(engine) == {}
    assert drawn(client) == "Hero, high contrast"


@pytest.mark.parametrize("path", [f"{PAGE}/99", f"{PAGE}/99/remove"])
def test_an_unknown_preset_is_a_404(client: FlaskClient, path: str) -> None:
    token = fields(show(client, PAGE), PAGE)["csrf_token"]

    response = client.post(
        path, data={"style-99-csrf_token": token, "csrf_token": token, "style-99-name": "x", "style-99-text": "x"}
    )

    assert response.status_code == 404


def test_a_hostile_preset_is_only_text(client: FlaskClient) -> None:
    send(client, PAGE, PAGE, name="<script>alert(1)</script>", text='"><img src=x onerror=alert(1)>{{ 7 * 7 }}')

    html = show(client, PAGE)

    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "49" not in words(html)
