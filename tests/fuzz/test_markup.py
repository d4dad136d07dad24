"""What looks for markup in pages finds it."""

from html import escape

import pytest

from .markup import Form, Page
from .nasty import MARK, MARKUP


@pytest.mark.parametrize("text", MARKUP)
def test_a_text_that_is_not_escaped_is_found(text: str) -> None:
    places = (f"<p>{text}</p>", f'<input value="{text}">', f"<input value='{text}'>", f"<a title={text}>x</a>")
    assert any(Page(place, "/").wrong for place in places)


@pytest.mark.parametrize("text", MARKUP)
def test_a_text_that_is_escaped_is_fine(text: str) -> None:
    assert Page(f'<p>{escape(text)}</p><input value="{escape(text)}">', "/").wrong == []


@pytest.mark.parametrize("text", ["javascript:x", "//evil.example", "data:text/html,x", "vbscript:x"])
def test_an_address_that_leads_elsewhere_is_found(text: str) -> None:
    assert Page(f'<a href="{text}">x</a>', "/").wrong
    assert Page(f'<form action="{text}"></form>', "/").wrong


def test_a_button_sends_the_fields_of_its_form_wherever_they_are() -> None:
    page = Page(
        '<button form="f" formaction="/b" name="do" value="x">B</button>'
        '<form id="f" action="/a"><input type="hidden" name="token" value="1"></form><input form="f" name="place">',
        "/",
    )
    assert page.forms == [
        Form("/a", {"token": "1", "place": ""}, typed={"place"}),
        Form("/b", {"token": "1", "place": "", "do": "x"}, typed={"place"}),
    ]


def test_what_was_searched_for_may_be_in_an_address_if_it_is_quoted() -> None:
    assert Page(f'<a href="/admin/comics/1?q=%22{MARK}%22">x</a>', "/").wrong == []
    assert Page(f'<a href="/admin/comics/{MARK}">x</a>', "/").wrong
    assert Page(f"<a href='/admin/comics/1?q=\"{MARK}'>x</a>", "/").wrong
