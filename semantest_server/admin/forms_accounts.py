"""The forms for signing in, for passwords and for tokens."""

from datetime import timedelta

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, EqualTo, Length, Regexp

from semantest_server.accounts.people import LEAST_PASSWORD, MOST_PASSWORD
from semantest_server.accounts.tables import Scope
from semantest_server.models import NAME_CHARACTERS

LIFETIMES = {"": "Never", "30": "After 30 days", "90": "After 90 days", "365": "After a year"}
SCOPES = {
    Scope.WORKER: "Worker: polls and reports",
    Scope.CREATOR: "Creator: queues and reads",
    Scope.ADMIN: "Admin: does everything",
}


def _stripped(text: str | None) -> str:
    return (text or "").strip()


class SignInForm(FlaskForm):
    """A name and a password."""

    name = StringField("Name", [DataRequired("Give your name.")], [_stripped])
    password = PasswordField("Password", [DataRequired("Give your password.")])


class PasswordForm(FlaskForm):
    """One's own password, and another one instead."""

    old = PasswordField("Password now", [DataRequired("Give the password that you have.")])
    new = PasswordField(
        "New password",
        [Length(LEAST_PASSWORD, MOST_PASSWORD, message=f"Must have {LEAST_PASSWORD} to {MOST_PASSWORD} characters.")],
    )
    again = PasswordField("New password again", [EqualTo("new", "This is not the same as the new password.")])


class TokenForm(FlaskForm):
    """A token to make."""

    name = StringField(
        "Name",
        [
            DataRequired("Give the token a name."),
            Length(max=NAME_CHARACTERS, message=f"Must have at most {NAME_CHARACTERS} characters."),
            Regexp(r"[^\x00-\x1f\x7f]*\Z", message="Must not contain control characters."),
        ],
        [_stripped],
    )
    scope = SelectField("Scope", choices=[SelectChoice(scope.value, words) for scope, words in SCOPES.items()])
    expires = SelectField("Expires", choices=[SelectChoice(days, words) for days, words in LIFETIMES.items()])

    @property
    def lifetime(self) -> timedelta | None:
        """How long it lasts, None for ever."""
        return timedelta(days=int(self.expires.data)) if self.expires.data else None
