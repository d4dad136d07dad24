"""What a person has chosen for the whole server, over the settings."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from semantest_server.errors import FieldError, Invalid
from semantest_server.models import Preferences, Style
from semantest_server.policy import Policy
from semantest_server.queue.journal import insert_missing

ROW = 1  # the only one
MOST_ATTEMPTS = 1_000


def policy_now(session: Session, settings: Policy) -> Policy:
    """The numbers that the queue obeys: the settings, but for what was chosen instead."""
    chosen = chosen_max_attempts(session)
    return settings if chosen is None else replace(settings, max_attempts=chosen)


def chosen_max_attempts(session: Session) -> int | None:
    """How often a panel is tried, if that was chosen; None is as the settings say."""
    return session.scalar(select(Preferences.max_attempts).where(Preferences.id == ROW))


def change_max_attempts(session: Session, max_attempts: int | None) -> None:
    """Choose how often a panel is tried before it fails; None is as the settings say. Raises `Invalid`."""
    if max_attempts is not None and not 1 <= max_attempts <= MOST_ATTEMPTS:
        message = f"Must be a number from 1 to {MOST_ATTEMPTS:,}."
        raise Invalid("That cannot be chosen.", [FieldError("/maxAttempts", message)])
    insert_missing(session, Preferences, id=ROW)
    session.execute(update(Preferences).where(Preferences.id == ROW).values(max_attempts=max_attempts))


def begin(session: Session, styles: Mapping[str, str]) -> None:
    """Give a new database its presets, once; what a person removes does not come back with the next start."""
    if insert_missing(session, Preferences, id=ROW):
        session.add_all(Style(name=name, text=text) for name, text in styles.items())
        session.flush()
