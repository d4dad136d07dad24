"""What a worker asks for, and what it is given."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from semantest_server.prompts import compose, final_style
from semantest_server.queue.states import ComicState, Receipt
from semantest_server.queue.workers import Poller


@dataclass(frozen=True)
class Poll:
    """What a worker asks for.

    `limit`: panels at most; `domains`: the sites it has tabs for, None if it does not say; `holding`: the receipts
    that it has, None if it does not say; `one_at_a_time`: it can keep only one panel in flight.
    """

    poller: Poller
    limit: int = 10
    domains: frozenset[str] | None = None
    holding: frozenset[Receipt] | None = None
    one_at_a_time: bool = False

    @property
    def resends(self) -> bool:
        """Whether what the worker does not name is to be sent again."""
        return self.holding is not None and self.poller.named


@dataclass(frozen=True)
class Panel:
    """One panel as it is handed out: its receipt and what to draw."""

    receipt: str
    number: int
    prompt: str
    output_path: str
    download_folder: str


@dataclass(frozen=True)
class HandOut:
    """What one poll gave one worker of one comic."""

    id: str
    comic: ComicState
    leased_until: datetime
    panels: list[Panel]


class Leased(NamedTuple):
    """A task that has been leased, with what its panel needs."""

    id: int
    comic_id: int
    number: int
    position: int
    attempt: int
    prompt: str
    style_text: str | None
    output_path: str
    download_folder: str
    leased_until: datetime


def panel_of(comic: ComicState, task: Leased) -> Panel:
    """A leased task as it is handed out, with its final prompt."""
    return Panel(
        receipt=f"{task.id}.{task.attempt}",
        number=task.number,
        prompt=compose(task.prompt, final_style(task.style_text, comic.style_text)),
        output_path=task.output_path,
        download_folder=task.download_folder,
    )
