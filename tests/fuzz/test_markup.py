"""What looks for markup in pages finds it."""

from html import escape

import pytest

from .markup import Page
from .nasty import MARKUP


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
