"""What a person types: decoded here, judged by the queue, and shown again with what was wrong."""

import codecs
import re
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    Field,
    FloatField,
    Form,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp, ValidationError
from wtforms.widgets import TextInput

from semantest_server.admin import words
from semantest_server.errors import FieldError, Invalid
from semantest_server.models import TITLE_CHARACTERS, Comic, Priority, Site
from semantest_server.prompts import PromptLine, read_lines
from semantest_server.queue.drafts import MOST_PARALLEL, PARALLEL, ComicDraft, PanelDraft, checked_comic
from semantest_server.queue.submit import IdempotencyKey

ERRORS_SHOWN = 20  # beside one field; a wrong file can have thousands
MOST_RATE = 1_000_000
KEY = re.compile(r"form-[0-9a-f]{32}")
PRIORITIES = [SelectChoice(priority.name.lower(), priority.name.capitalize()) for priority in Priority]
FIELDS = {"panels": "prompts", "domain": "site", "downloadFolder": "download_folder"}


def _stripped(text: str | None) -> str:
    return (text or "").strip()


def _site_name(text: str | None) -> str:
    """The name of a site, from its name or its address."""
    return re.sub(r"^https?://|/.*$", "", _stripped(text).lower())


def _between(least: int, most: int) -> Callable[[Form, Field], None]:
    def check(_form: Form, field: Field) -> None:
        if field.data is not None and not least <= field.data <= most:
            raise ValidationError(f"Must be a number from {least} to {most:,}.")

    return check


TITLE = [
    DataRequired("Give the comic a title."),
    Length(max=TITLE_CHARACTERS, message=f"Must have at most {TITLE_CHARACTERS} characters."),
    Regexp(r"[^\x00-\x1f\x7f]*\Z", message="Must not contain control characters."),
]
RATE = [InputRequired("Give a number; 0 turns the rule off."), _between(0, MOST_RATE)]


class TextFileField(FileField):
    """A file of UTF-8 text; `data` is the text, empty when no file was chosen."""

    data: Any

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Decode the file, or say why it cannot be."""
        super().process_formdata(valuelist)
        file, self.data = self.data, ""
        if file is not None:
            self.data = _decode(file.read())


class WholeNumberField(IntegerField):
    """A whole number; anything else is refused in a person's words, and kept as it was typed."""

    widget = TextInput()  # browsers forget what is typed into a number input and is no number

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read the number."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Give a whole number, such as 10.") from None


class SecondsField(FloatField):
    """A time in seconds; anything but a number is refused in a person's words, and kept as it was typed."""

    widget = TextInput()

    def _value(self) -> str:
        return self.raw_data[0] if self.raw_data else words.seconds(self.data or 0)

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read the number."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Give a number of seconds, such as 30.") from None


class ComicForm(FlaskForm):
    """A comic to queue. `key` makes it one comic however often the form is sent."""

    key = HiddenField()
    title = StringField("Title", filters=[_stripped])
    prompts = TextAreaField("Prompts")
    file = TextFileField("File")
    style = StringField("Style", filters=[_stripped])
    priority = SelectField("Priority", choices=PRIORITIES, default="normal")
    parallel = WholeNumberField("Parallel", default=PARALLEL)
    site = StringField("Site", filters=[_site_name])
    download_folder = StringField("Download folder", filters=[_stripped])

    @classmethod
    def empty(cls, domain: str) -> "ComicForm":
        """The form as it is first shown."""
        return cls(formdata=None, key=_new_key(), site=domain)

    @cached_property
    def lines(self) -> list[PromptLine]:
        """The prompts, with the lines that they stand on."""
        return read_lines(self.prompts.data)

    def take_in_file(self) -> None:
        """Move the text of the file behind what was typed, so that nothing need be chosen again."""
        typed = self.prompts.data or ""
        between = "\n" if typed.strip() and self.file.data else ""
        self.prompts.data = typed.rstrip() + between + self.file.data if self.file.data else typed

    def draft(self) -> ComicDraft:
        """The comic as the queue takes it, with defaults where the form says nothing that can be read."""
        readable = Priority.__members__.get(str(self.priority.data).upper())
        return ComicDraft(
            title=self.title.data,
            panels=[PanelDraft(prompt=line.prompt) for line in self.lines],
            style=self.style.data or None,
            priority=Priority.NORMAL if readable is None else readable,
            parallel=PARALLEL if self.parallel.data is None else self.parallel.data,
            domain=self.site.data or None,
            download_folder=self.download_folder.data or None,
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """Let the fields, and then the queue, say what is wrong."""
        super().validate(extra_validators)
        try:
            checked_comic(self.draft())
        except Invalid as invalid:
            self._show(invalid.errors)
        return not self.errors

    def idempotency_key(self, draft: ComicDraft) -> IdempotencyKey:
        """What makes the same form, sent again, the same comic."""
        if not KEY.fullmatch(self.key.data or ""):
            self.renew_key()
        return IdempotencyKey(self.key.data, sha256(repr(asdict(draft)).encode()).hexdigest())

    def renew_key(self) -> None:
        """Make what is sent next another comic."""
        self.key.data = _new_key()

    def _show(self, errors: list[FieldError]) -> None:
        """Put what the queue refuses beside the fields that it is about."""
        said = defaultdict(list)
        for error in errors:
            name = error.pointer.split("/")[1]
            said[FIELDS.get(name, name)].append(self._line(error.pointer) + error.message)
        for name, messages in said.items():
            more = len(messages) - ERRORS_SHOWN
            hidden = [f"And {more:,} more."] if more > 0 else []
            self[name].errors = [*self[name].errors, *messages[:ERRORS_SHOWN], *hidden]

    def _line(self, pointer: str) -> str:
        """Where the prompt that a pointer points at stands: `Line 3: `."""
        panel = re.match(r"/panels/(\d+)", pointer)
        return f"Line {self.lines[int(panel[1])].line}: " if panel else ""


class ComicSettingsForm(FlaskForm):
    """What can be changed of a queued comic."""

    title = StringField("Title", TITLE, [_stripped])
    priority = SelectField("Priority", choices=PRIORITIES)
    parallel = WholeNumberField("Parallel", [_between(1, MOST_PARALLEL)])

    @classmethod
    def of(cls, comic: Comic) -> "ComicSettingsForm":
        """The form with what is set now."""
        priority = Priority(comic.priority).name.lower()
        return cls(formdata=None, title=comic.title, priority=priority, parallel=comic.parallel)

    def changes(self) -> dict[str, Any]:
        """What the form says, as the queue takes it."""
        priority = Priority[self.priority.data.upper()]
        return {"title": self.title.data, "priority": priority, "parallel": self.parallel.data}


class PacingForm(FlaskForm):
    """How fast a site may be given panels; 0 turns a rule off."""

    gap_seconds = SecondsField("Gap between panels", RATE)
    break_after = WholeNumberField("Break after", RATE)
    break_seconds = SecondsField("Length of a break", RATE)
    daily_cap = WholeNumberField("Daily cap", RATE)

    @classmethod
    def of(cls, site: Site) -> "PacingForm":
        """The form with what is set now."""
        return cls(formdata=None, obj=site, prefix=f"{site.domain}-")

    @classmethod
    def sent(cls, domain: str) -> "PacingForm":
        """The form as it was sent for a site; the prefix tells its fields from those of other forms."""
        return cls(prefix=f"{domain}-")

    def rules(self) -> dict[str, Any]:
        """What the form says, as the queue takes it."""
        names = ("gap_seconds", "break_after", "break_seconds", "daily_cap")
        return {name: self[name].data for name in names}


def _new_key() -> str:
    """A key that no form had before."""
    return f"form-{secrets.token_hex(16)}"


def _decode(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("This file is UTF-16. Save it as UTF-8 text and choose it again.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("This is not UTF-8 text. Choose a plain text file with one prompt per line.") from None
    if "\0" in text:
        raise ValueError("This is not a text file. Choose a plain text file with one prompt per line.")
    return text
