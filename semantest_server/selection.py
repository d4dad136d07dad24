"""Which of a comic's panels are meant: those that somebody picked, or all that a filter and a search leave."""

import re
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Engine, event, false, or_

from semantest_server.models import Task, TaskStatus

SEARCH_CHARACTERS = 200
NUMBER = re.compile(r"#?([0-9]{1,9})")
UNSEARCHABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")  # databases refuse some, and nobody types them


@dataclass(frozen=True)
class Selection:
    """Panels of a comic. What is None or empty text does not matter; `task_ids` are what somebody picked."""

    comic_id: int
    statuses: frozenset[TaskStatus] | None = None
    search: str = ""
    task_ids: tuple[int, ...] | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What is stored of such panels. A task whose lease has lapsed is stored as what it no longer is."""
        conditions = [*self.but_for_status]
        if self.statuses is not None:
            conditions.append(Task.status.in_(sorted(self.statuses)))
        return conditions

    @property
    def but_for_status(self) -> list[ColumnElement[bool]]:
        """The conditions, whatever their status."""
        conditions: list[ColumnElement[bool]] = [Task.comic_id == self.comic_id]
        if self.task_ids is not None:
            conditions.append(Task.id.in_(self.task_ids))
        if words := searchable(self.search):
            conditions.append(_mentions(words))
        return conditions

    def only(self, *statuses: TaskStatus) -> "Selection":
        """Those of the panels that have one of these statuses."""
        wanted = frozenset(statuses)
        return replace(self, statuses=wanted if self.statuses is None else self.statuses & wanted)


def searchable(text: str) -> str:
    """What is looked for when somebody types this."""
    return " ".join(UNSEARCHABLE.sub(" ", text).split())[:SEARCH_CHARACTERS]


def _mentions(words: str) -> ColumnElement[bool]:
    """Whether a panel has the words in what a person reads of it, in capitals or not, or has that number."""
    places = [Task.prompt, Task.chapter, Task.strip, Task.message]
    found = [place.icontains(words, autoescape=True) for place in places]
    number = NUMBER.fullmatch(words)
    return or_(*found, false() if number is None else Task.number == int(number[1]))


@event.listens_for(Engine, "connect")
def _know_all_letters(connection: Any, _record: Any) -> None:
    """Let SQLite find `ä` in `Ä`: its own `lower` knows the letters of English only."""
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text
