"""The forms that queue a comic: what a person types is decoded here and judged by the queue."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from werkzeug.datastructures import FileStorage
from wtforms import HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from semantest_server.admin.forms import PRIORITIES, stripped
from semantest_server.errors import FieldError
from semantest_server.imports.checked import Known
from semantest_server.imports.checking import check, site_name
from semantest_server.imports.reading import decoded, kind_of, read_text
from semantest_server.imports.rows import Kind, Options, Reading, Unreadable
from semantest_server.imports.uploads import ID, Source, new_id
from semantest_server.queue.styles import NONE

OWN_WORDS = ":own"  # the choice of a style that is no preset
UNSAID = ":unsaid"  # the choice of nothing while own words stand beside it
NO_STYLE = "None"
SOURCE_PANELS = "/panels"
FIELDS = {
    "/title": "title",
    "/priority": "priority",
    "/parallel": "parallel",
    "/domain": "site",
    "/downloadFolder": "download_folder",
}
NOT_BOTH = "Paste prompts or choose a file, not both: only plain lines can follow what is typed."


class TextFileField(FileField):
    """A file of UTF-8 text; `data` is the text, empty when no file was chosen, and `file_name` its name."""

    data: Any
    file_name = ""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Decode the file, or say why it cannot be."""
        super().process_formdata(valuelist)
        file, self.data = self.data, ""
        if isinstance(file, FileStorage):
            self.file_name = file.filename or ""
            try:
                self.data = decoded(file.read())
            except Unreadable as error:
                raise ValueError(error.errors[0].message) from None


class OptionsForm(FlaskForm):
    """What holds for the whole comic."""

    title = StringField("Title", filters=[stripped])
    style = SelectField("Style", validate_choice=False)
    own_style = StringField("Own words for the style", filters=[stripped])
    priority = SelectField(
        "Priority", choices=[SelectChoice("", "As the file says, or normal"), *PRIORITIES], validate_choice=False
    )
    parallel = StringField("Parallel", filters=[stripped])
    site = StringField("Site", filters=[site_name])
    download_folder = StringField("Download folder", filters=[stripped])

    def offer_styles(self, names: Iterable[str], unsaid: str) -> None:
        """Offer presets, no style and own words; `unsaid` is what it is called to choose nothing."""
        chosen = str(self.style.data or "")
        self.style.choices, self.style.data, own_words = style_select(style_choices(names, unsaid), chosen)
        self.own_style.data = own_words or self.own_style.data

    def options(self) -> Options:
        """What the form says, as it is checked."""
        return Options(
            title=self.title.data or "",
            style=style_of(self.style.data, self.own_style.data),
            priority=self.priority.data or "",
            parallel=self.parallel.data or "",
            domain=self.site.data or "",
            download_folder=self.download_folder.data or "",
        )

    def show(self, errors: Iterable[FieldError]) -> None:
        """Put what the queue refuses beside the fields that it is about."""
        own_words = "own_style" if self.own_style.data else "style"
        for error in errors:
            field = self[FIELDS.get(error.pointer, own_words)]
            field.errors = [*field.errors, error.message]


class UploadForm(OptionsForm):
    """The options of a comic that is looked through."""

    @classmethod
    def of(cls, options: Options) -> "UploadForm":
        """The form with what is chosen now."""
        return cls(
            formdata=None,
            title=options.title,
            style=options.style,
            priority=options.priority,
            parallel=options.parallel,
            site=options.domain,
            download_folder=options.download_folder,
        )


class ComicForm(OptionsForm):
    """A comic to look through. `key` makes it one upload however often the form is sent."""

    key = HiddenField()
    file_name = HiddenField()
    prompts = TextAreaField("Prompts")
    file = TextFileField("File")

    @classmethod
    def empty(cls) -> "ComicForm":
        """The form as it is first shown."""
        return cls(formdata=None, key=new_id())

    def reading(self) -> Reading | None:
        """The rows, or None once the form says what is wrong with it."""
        if not ID.fullmatch(self.key.data or ""):
            self.renew_key()
        self.validate()
        self._take_in_file()
        reading = self._read()
        said = reading.options if reading else Options()
        errors = check(Reading(Kind.LINES, []), self.all_options(said), Known()).errors
        self.show(error for error in errors if error.pointer != SOURCE_PANELS)
        return None if self.errors else reading

    def all_options(self, of_file: Options) -> Options:
        """What the form says, then what the file says; a comic without a title is called as its file."""
        named = Options(title=PurePath(self.file_name.data or "").stem)
        return self.options().over(of_file).over(named)

    def source(self) -> Source:
        """What tells this upload from another one."""
        said = (self.prompts.data, self.file_name.data, self.options())
        return Source(self.file_name.data or "", sha256(repr(said).encode()).hexdigest())

    def renew_key(self) -> None:
        """Make what is sent next another upload."""
        self.key.data = new_id()

    def _take_in_file(self) -> None:
        """Move the text of the file to where prompts are typed, so that nothing need be chosen again."""
        typed, added = self.prompts.data or "", self.file.data or ""
        if not added:
            self.prompts.data = typed
        elif not typed.strip():
            self.prompts.data, self.file_name.data = added, self.file.file_name
        elif kind_of(typed) is Kind.LINES and kind_of(added, self.file.file_name) is Kind.LINES:
            self.prompts.data = f"{typed.rstrip()}\n{added}"
        else:
            self.file.errors = [*self.file.errors, NOT_BOTH]

    def _read(self) -> Reading | None:
        if self.file.errors:
            return None
        try:
            return read_text(self.prompts.data, self.file_name.data or "")
        except Unreadable as error:
            self.prompts.errors = [*self.prompts.errors, error.errors[0].message]
            return None


def style_choices(names: Iterable[str], unsaid: str) -> list[SelectChoice]:
    """The presets, no style, and own words; `unsaid` is what it is called to choose nothing."""
    presets = [SelectChoice(name, name.capitalize()) for name in names]
    none = [SelectChoice(NONE, NO_STYLE)] if unsaid != NO_STYLE else []
    return [SelectChoice("", unsaid), *none, *presets, SelectChoice(OWN_WORDS, "Own words")]


def style_select(choices: Sequence[SelectChoice], style: str) -> tuple[Sequence[SelectChoice], str, str]:
    """The choices as they are shown, which one a style is, and the words of its own if it is none of them.

    Own words count where nothing else is chosen; once they are chosen, to choose nothing takes them away.
    """
    by_name = {str(choice.value).casefold(): str(choice.value) for choice in choices}
    name = style.strip().casefold()
    chosen = by_name.get(name, "" if name == NONE else UNSAID if name == UNSAID else OWN_WORDS)
    if chosen in (OWN_WORDS, UNSAID):
        choices = [SelectChoice(UNSAID, choices[0].label), *choices[1:]]
    return choices, chosen, style if chosen == OWN_WORDS != style else ""


def style_of(chosen: str | None, own_words: str | None) -> str:
    """The style that was chosen, or typed: own words count where nothing else was chosen."""
    if chosen in ("", None, OWN_WORDS):
        return (own_words or "").strip()
    return "" if chosen == UNSAID else str(chosen)
