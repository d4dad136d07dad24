"""What a person types: decoded here, judged by the queue, and shown again with what was wrong."""

from collections.abc import Callable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    Field,
    Form,
    IntegerField,
    SelectField,
    StringField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Regexp, ValidationError
from wtforms.widgets import TextInput

from semantest_server.models import TITLE_CHARACTERS, Comic, Priority
from semantest_server.queue.drafts import MOST_PARALLEL

PRIORITIES = [SelectChoice(priority.name.lower(), priority.name.capitalize()) for priority in Priority]


def stripped(text: str | None) -> str:
    """The text without the space around it."""
    return (text or "").strip()


def between(least: int, most: int) -> Callable[[Form, Field], None]:
    """A check that a number lies between two others."""

    def check(_form: Form, field: Field) -> None:
        if field.data is not None and not least <= field.data <= most:
            raise ValidationError(f"Must be a number from {least} to {most:,}.")

    return check


TITLE = [
    DataRequired("Give the comic a title."),
    Length(max=TITLE_CHARACTERS, message=f"Must have at most {TITLE_CHARACTERS} characters."),
    Regexp(r"[^\x00-\x1f\x7f]*\Z", message="Must not contain control characters."),
]


class WholeNumberField(IntegerField):
    """A whole number; anything else is refused in a person's words, and kept as it was typed."""

    widget = TextInput()  # browsers forget what is typed into a number input and is no number

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read the number."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Give a whole number, such as 10.") from None


class ComicSettingsForm(FlaskForm):
    """What can be changed of a queued comic."""

    title = StringField("Title", TITLE, [stripped])
    priority = SelectField("Priority", choices=PRIORITIES)
    parallel = WholeNumberField("Parallel", [between(1, MOST_PARALLEL)])

    @classmethod
    def of(cls, comic: Comic) -> "ComicSettingsForm":
        """The form with what is set now."""
        priority = Priority(comic.priority).name.lower()
        return cls(formdata=None, title=comic.title, priority=priority, parallel=comic.parallel)

    def changes(self) -> dict[str, Any]:
        """What the form says, as the queue takes it."""
        priority = Priority[self.priority.data.upper()]
        return {"title": self.title.data, "priority": priority, "parallel": self.parallel.data}
