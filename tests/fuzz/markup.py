"""A page as a browser takes it apart: its forms, its links, and whether anything in it came from a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

from .nasty import MARK, NASTY

ADDRESSES = ("href", "src", "action", "formaction", "hx-get", "hx-post", "data", "poster", "srcset")
OURS = re.compile(r"/(?!/)|#|\?|$")  # what begins so stays on this server
OURS_WITH_TEXT = re.compile(rf"""/(?!/)(?:(?!{MARK})[^?#])*\?[^\s"<>]*""")  # that was searched for, say
PICTURE = re.compile(r"https?://[^\s/\\]")  # of the address that a worker reported
FOREIGN_TAGS = {"base", "iframe", "object", "embed", "style", "template", "svg", "math", "applet", "frame"}
TEXT_IN = {"value", "alt", "aria-label", "title", "content", "placeholder", "data-announce"}  # and where pictures are
RAW = [text for text in NASTY if MARK in text and escape(text) != text]
EVALUATED = f"{MARK}49"


@dataclass
class Form:
    """What a form or a button would send, and where to; `typed` are the fields that people write into."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """The parts of a page."""

    def __init__(self, html: str, path: str) -> None:
        super().__init__()
        self.html = html
        self.path = path
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.wrong: list[str] = []
        self._named: dict[str, Form] = {}
        self._elsewhere: list[tuple[str, dict[str, str], Form]] = []  # what sends a form's fields to another address
        self._form: Form | None = None
        self._textarea = ""
        self._select = ""
        self._is_script = False
        self.feed(html)
        for action, own, form in self._elsewhere:
            self.forms.append(Form(action, {**form.fields, **own}, form.files, form.typed))
        self.wrong += [f"not escaped: {text[:60]!r}" for text in RAW if text in html]
        if EVALUATED in html:
            self.wrong.append("a text was evaluated as a template")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element, and take in what belongs to a form."""
        given = {name: value or "" for name, value in attrs}
        self.wrong += _what_is_wrong(tag, given)
        self._is_script = tag == "script"
        self.links += [given[name] for name in ("href", "hx-get") if given.get(name, "").startswith("/admin")]
        if tag == "form" and given.get("method") != "dialog":  # that one is sent nowhere
            self._form = self._named_form(given.get("id", f"form {len(self.forms)}"))
            self._form.action = given.get("action") or self.path
            self.forms.append(self._form)
        form = self._named_form(given["form"]) if "form" in given else self._form
        if form is not None:
            self._take_in(form, tag, given)

    def _named_form(self, name: str) -> Form:
        """The form of that id, which may be further down; what belongs to none is sent without fields."""
        return self._named.setdefault(name, Form(self.path))

    def _take_in(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if address := given.get("formaction") or given.get("hx-post"):
            self._elsewhere.append((address, {name: given.get("value", "")} if name else {}, form))
        elif tag == "button" and name:
            form.fields.setdefault(name, given.get("value", ""))  # as if the first one was pressed
        elif tag == "input" and given.get("type") == "file":
            form.files.append(name)
        elif tag == "input" and name:
            form.fields[name] = given.get("value", "")
            if given.get("type", "text") == "text":
                form.typed.add(name)
        elif tag == "textarea":
            self._textarea, form.fields[name] = name, ""
            form.typed.add(name)
        elif tag == "select":
            self._select, form.fields[name] = name, ""
        elif tag == "option" and self._select and ("selected" in given or not form.fields[self._select]):
            form.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """A form, a field or a script is over."""
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._textarea = ""
        elif tag == "select":
            self._select = ""
        self._is_script = False

    def handle_data(self, data: str) -> None:
        """Take in the text of a field; there is none in a script."""
        if self._textarea and self._form is not None:
            self._form.fields[self._textarea] += data
        if self._is_script and data.strip():
            self.wrong.append(f"a script with text: {data[:60]!r}")

    @property
    def token(self) -> str:
        """The token that every form of the page sends along."""
        return next(form.fields["csrf_token"] for form in self.forms if "csrf_token" in form.fields)


def _what_is_wrong(tag: str, given: dict[str, str]) -> Iterator[str]:
    """What in an element no template of ours has put there."""
    if tag in FOREIGN_TAGS or MARK in tag:
        yield f"an element {tag}"
    if tag == "meta" and "http-equiv" in given:
        yield "a page that leads elsewhere"
    if tag == "script" and not given.get("src", "").startswith("/static/"):
        yield f"a script {given}"
    for name, value in given.items():
        if name.startswith(("on", "hx-on")) or name == "style" or MARK in name:
            yield f"an attribute {name} of {tag}"
        is_picture = tag in ("a", "img") and PICTURE.match(value) is not None
        if name in ADDRESSES and not OURS.match(value) and not is_picture:
            yield f"an address {value[:60]!r} of {tag}"
        is_asked = name in ADDRESSES and OURS_WITH_TEXT.fullmatch(value) is not None
        if MARK in value and name not in TEXT_IN and not (name in ADDRESSES and is_picture) and not is_asked:
            yield f"an attribute {name} of {tag} that came from a text: {value[:60]!r}"
