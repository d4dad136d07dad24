"""How a panel is drawn: the reports about it in their order, well or badly, drawn by lot.

A script is a line of statuses. `~` before one: it is said only after the lease may have run out; `+` after one: it is
said twice in the same words; a `!` at the end of the line: the worker does not stop when it is told to.
"""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Step:
    """One report."""

    status: str
    is_late: bool = False
    is_repeated: bool = False

    @classmethod
    def parse(cls, word: str) -> "Step":
        """Read one word of a script."""
        return cls(word.strip("~+"), word.startswith("~"), word.endswith("+"))


@dataclass(frozen=True)
class Script:
    """The reports about one panel; `is_deaf`: they are all sent, whatever the answers say."""

    steps: tuple[Step, ...]
    is_deaf: bool = False

    @classmethod
    def parse(cls, line: str) -> "Script":
        """Read one script."""
        return cls(tuple(map(Step.parse, line.rstrip("!").split())), line.endswith("!"))


PANELS = {  # of a client that polls `/tasks/pending`, with the weight of each
    "running completed": 30,
    "completed": 25,
    "delivered running generating downloading completed": 3,
    "in_progress processing completed+": 3,
    "running+ completed+": 4,
    "completed running failed completed !": 4,  # too late, in the wrong order
    "running failed": 4,
    "timeout+": 2,
    "error completed !": 2,  # found after all
    "running failed running !": 2,
    "no_tabs": 1,
    "running cancelled+": 3,
    "cancelled running completed !": 2,
    "running ~completed": 4,
    "~completed+": 3,
    "running ~running completed !": 2,
    "running ~failed": 2,
    "~cancelled": 1,
    "": 3,  # forgotten
    "running": 2,
}

PICTURES = {  # of the 2.x extension; `error?` comes without a taskId, `error^` from another tab
    "delivered sent sent image_found": 30,
    "delivered delivered sent sent sent image_found image_found !": 6,
    "no_tabs": 2,
    "error? delivered sent": 2,
    "delivered sent error": 3,
    "delivered error^ sent image_found": 3,
    "delivered sent ~image_found": 3,
    "sent image_found sent !": 2,
    "": 2,
}


class Scripts:
    """Draws scripts by lot."""

    def __init__(self, weights: dict[str, int], chance: Random) -> None:
        self._lines = list(weights)
        self._weights = list(weights.values())
        self._chance = chance

    def draw(self) -> Script:
        """The next script."""
        (line,) = self._chance.choices(self._lines, self._weights)
        return Script.parse(line)
