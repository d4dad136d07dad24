"""What a person does with a preview in a browser without JavaScript."""

from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from .pages import send, show

FORM = "/admin/comics/new"


class _Fields(HTMLParser):
    """Every field of the form `upload` as a browser would send it, names that come again included."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: MultiDict[str, str] = MultiDict()
        self.action = ""
        self.is_inside = False
        self._textarea: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take in a field, or remember whose text or options follow."""
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.is_inside = given.get("id") == "upload"
            self.action = given.get("action") or "" if self.is_inside else self.action
        elif not self.is_inside:
            return
        elif tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.fields.add(name, value)
        elif tag == "textarea":
            self._textarea, self.fields[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = value

    def handle_endtag(self, tag: str) -> None:
        """The form, the text or the options are over; a browser passes over the first newline of a text."""
        if tag == "form":
            self.is_inside = False
        elif tag == "textarea" and self._textarea:
            self.fields[self._textarea] = self.fields[self._textarea].removeprefix("\n")
            self._textarea = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        """Take in the text of a textarea."""
        if self._textarea:
            self.fields[self._textarea] += data


def preview(client: FlaskClient, **given: Any) -> str:
    """Fill in the form, with a title where nothing else is said, and give the address of the preview it leads to."""
    response = send(client, FORM, **{"title": "Cave of Echoes", **given})
    assert response.status_code == 303, response.text
    return str(response.location)


def fields(html: str) -> MultiDict[str, str]:
    """What the form of a preview would send as it stands, without the button."""
    parser = _Fields()
    parser.feed(html)
    return parser.fields


def press(client: FlaskClient, address: str, button: str = "do", value: str = "save", **changed: Any) -> TestResponse:
    """Open a preview, change fields, and press a button. None takes a field away; a list is all of its values."""
    parser = _Fields()
    parser.feed(show(client, address))
    data = parser.fields
    for name, given in changed.items():
        data.setlist(name, [] if given is None else given if isinstance(given, list) else [given])
    data[button] = value
    return client.post(parser.action, data=data)


def queue_by_form(client: FlaskClient, **given: Any) -> TestResponse:
    """Fill in the form, look at the preview, and queue what it shows."""
    return press(client, preview(client, **given), value="queue")
