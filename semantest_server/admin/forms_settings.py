"""The forms for the server's own matters: pacing, attempts, styles and the labels of workers."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import FloatField, StringField, TextAreaField
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import TextInput

from semantest_server.admin import words
from semantest_server.admin.forms import WholeNumberField, between, stripped
from semantest_server.errors import FieldError
from semantest_server.models import Site, Style
from semantest_server.queue.preferences import MOST_ATTEMPTS

MOST_RATE = 1_000_000
RATE = [InputRequired("Give a number; 0 turns the rule off."), between(0, MOST_RATE)]


def show_errors(form: FlaskForm, errors: list[FieldError]) -> None:
    """Put what the queue refuses beside the fields that it is about: `/name` beside `name`."""
    for error in errors:
        field = form[error.pointer.removeprefix("/")]
        field.errors = [*field.errors, error.message]


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


class AttemptsForm(FlaskForm):
    """How often a panel is tried; empty is as the setting says."""

    max_attempts = WholeNumberField("Attempts per panel", [Optional(), between(1, MOST_ATTEMPTS)])


class StyleForm(FlaskForm):
    """A preset."""

    name = StringField("Name", filters=[stripped])
    text = TextAreaField("Text", filters=[stripped])

    @classmethod
    def of(cls, style: Style) -> "StyleForm":
        """The form with what the preset is now."""
        return cls(formdata=None, obj=style, prefix=f"style-{style.id}-")

    @classmethod
    def sent(cls, style_id: int) -> "StyleForm":
        """The form as it was sent for a preset; the prefix tells its fields from those of other forms."""
        return cls(prefix=f"style-{style_id}-")


class LabelForm(FlaskForm):
    """What a person calls a worker."""

    label = StringField("Label", filters=[stripped])
