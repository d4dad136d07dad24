"""What a person does with the pages in a browser without JavaScript, and what workers do meanwhile."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PROMPTS = ["Hero enters the cave", "Echoes answer", "Monster appears"]


class _Form(HTMLParser):
    """The fields of the form whose button is to be pressed, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._textarea: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take in an input, or remember which field the text or the options that follow are of."""
        given = dict(attributes)
        name = given.get("name") or ""
        if tag == "input" and name and given.get("type") != "file":
            self.fields[name] = given.get("value") or ""
        elif tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self.fields[self._select] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        """The text or the options are over; a browser passes over the first newline of a text."""
        if tag == "textarea" and self._textarea:
            text = self.fields[self._textarea].replace("\r\n", "\n")
            self.fields[self._textarea], self._textarea = text.removeprefix("\n"), None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        """Take in the text of a textarea."""
        if self._textarea:
            self.fields[self._textarea] += data


def show(client: FlaskClient, path: str) -> str:
    """The HTML of a page that is there."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.text


def words(html: str) -> str:
    """What a person reads of a page: its text, with single spaces."""
    text = " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
    return re.sub(r" ([.,:])( |$)", r"\1\2", text)


def rows(html: str) -> list[str]:
    """What a person reads of each row of a table of panels."""
    return [words(row) for row in re.findall(r'<tr id="panel-\d+"[^>]*>(.*?)</tr>', html, re.DOTALL)]


def link(html: str, name: str) -> str:
    """Where the link of that id leads."""
    found = re.search(rf'id="{name}"[^>]* href="([^"]*)"', html)
    assert found, f"There is no link {name}."
    return unescape(found[1])


def fields(html: str, action: str | None = None) -> dict[str, str]:
    """What a page's form would send as it stands: the form with that action, or the only one."""
    forms = re.findall(r"<form\b([^>]*)>(.*?)</form>", html, re.DOTALL)
    bodies = [body for attributes, body in forms if action is None or f'action="{action}"' in attributes]
    parser = _Form()
    parser.feed(bodies[0])
    return parser.fields


def send(client: FlaskClient, path: str, page: str | None = None, **given: Any) -> TestResponse:
    """Open a page, fill in its form and send it to a path."""
    html = show(client, page or path)
    return client.post(path, data={**fields(html, path if page else None), **given})


def press(
    client: FlaskClient, comic: int, button: str, page: str = "", picked: list[int] | None = None, **typed: str
) -> TestResponse:
    """Press a button of a comic's page, or of one below it, by its id, with tasks picked and fields filled in."""
    return press_on(client, f"/admin/comics/{comic}{page}", button, picked, **typed)


def press_on(
    client: FlaskClient, path: str, button: str, picked: list[int] | None = None, **typed: str
) -> TestResponse:
    """Press a button of a page, by its id."""
    html = show(client, path)
    found = re.search(rf'<button form="(?:actions|picked)" formaction="([^"]*)" id="{button}"([^>]*)>', html)
    assert found, f"There is no button {button}."
    name = re.search(r'name="([^"]*)" value="([^"]*)"', found[2])
    token = {"csrf_token": fields(html)["csrf_token"]}
    sent = {**token, **({name[1]: name[2]} if name else {}), **({"task": picked} if picked else {}), **typed}
    return client.post(unescape(found[1]), data=sent)


def wire(client: FlaskClient, path: str, worker: str | None = None, **query: Any) -> Any:
    """What the server answers to who is no person."""
    headers = {"X-Worker-Id": worker} if worker else {}
    return client.get(path, query_string=query, headers=headers).json


def queue(client: FlaskClient, title: str = "Cave of Echoes", prompts: list[str] | None = None, **more: Any) -> int:
    """Queue a comic over the wire and give its id."""
    body = {"title": title, "prompts": prompts or PROMPTS, **more}
    response = client.post("/comics", json=body)
    assert response.status_code == 201, response.text
    return int(response.get_json()["id"])


def poll(client: FlaskClient, worker: str = "studio", **query: Any) -> list[str]:
    """Poll as a worker and give the receipts handed out."""
    hand_outs = wire(client, "/tasks/pending", worker, **query)
    return [panel["id"] for hand_out in hand_outs for panel in hand_out["payload"]["panels"]]


def report(client: FlaskClient, receipt: str, status: str, worker: str = "studio", **more: Any) -> None:
    """Report as a worker."""
    response = client.patch(f"/tasks/{receipt}", json={"status": status, **more}, headers={"X-Worker-Id": worker})
    assert response.status_code == 200, response.text


def progress(client: FlaskClient, comic: int) -> dict[str, Any]:
    """How far a comic is, over the wire."""
    found = wire(client, f"/comics/{comic}")
    return {"status": found["status"], **found["progress"]}
