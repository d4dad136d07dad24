"""What a person types about panels: their words, and what is to be replaced in them."""

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from semantest_server.admin.forms import stripped
from semantest_server.queue.wording import WORDS, Wording
from semantest_server.replacement import Replacement

FIND_CHARACTERS = 1_000


def _lines(text: str | None) -> str:
    """The text with the ends of lines as they were before a browser sent it, without the space around it."""
    return stripped(text).replace("\r\n", "\n")


class PanelForm(FlaskForm):
    """The words of a panel. `version` is what they were when the person began."""

    version = HiddenField()
    prompt = TextAreaField("Prompt", filters=[_lines])
    style = StringField("Style", filters=[stripped])
    chapter = StringField("Chapter", filters=[stripped])
    strip = StringField("Strip", filters=[stripped])
    caption = TextAreaField("Caption", filters=[_lines])
    speech = TextAreaField("Speech", filters=[_lines])
    notes = TextAreaField("Notes", filters=[_lines])

    @classmethod
    def of(cls, now: Wording) -> "PanelForm":
        """The form with the words as they are now."""
        return cls(formdata=None, data={**vars(now), "version": now.version})

    def wording(self) -> Wording:
        """What the form says; what is empty is nothing."""
        return Wording(prompt=self.prompt.data, **{name: self[name].data or None for name in WORDS[1:]})


class ReplaceForm(FlaskForm):
    """What is to be found, and what is to stand in its place."""

    find = StringField("Find", [InputRequired("Say what to find."), Length(max=FIND_CHARACTERS)])
    by = StringField("Replace with", [Length(max=FIND_CHARACTERS)])
    match_case = BooleanField("Match case")
    whole_words = BooleanField("Whole words only")

    def replacement(self) -> Replacement:
        """What the form says."""
        return Replacement(self.find.data or "", self.by.data or "", self.match_case.data, self.whole_words.data)


class ReplaceNowForm(ReplaceForm):
    """The same once more, with what was shown of each prompt: `12-3fa94b01 …`."""

    seen = HiddenField()
    retry = BooleanField("Queue the failed ones again")

    def shown(self) -> dict[int, str]:
        """What was shown, by task; what makes no sense was not."""
        pairs = (one.partition("-") for one in (self.seen.data or "").split())
        return {int(task): digest for task, _, digest in pairs if task.isascii() and task.isdigit() and len(task) < 19}
