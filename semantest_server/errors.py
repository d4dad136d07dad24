"""What can go wrong in the queue, in its own words.

    QueueError
      ├── NotFound          no such comic, task, receipt or hand-out
      ├── Invalid           the input breaks a rule; says where
      ├── NotYours          what is another worker's
      ├── Conflict          what is asked does not fit the present state
      │     └── StaleReport     a report about an attempt that is over
      ├── KeyReused         an Idempotency-Key came again with another body
      └── RaceLost          a row was not as it was read, in spite of the locks; ask again

`api/problems.py` maps each to a status.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with the input: a JSON pointer (RFC 6901) and what to do about it."""

    pointer: str
    message: str


class QueueError(Exception):
    """The base of everything that the queue refuses."""

    title = "The request was refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(QueueError):
    """There is no such comic, task, receipt or hand-out."""

    title = "Not found"


class Invalid(QueueError):
    """The input breaks a rule of the domain."""

    title = "Invalid input"

    def __init__(self, detail: str, errors: list[FieldError]) -> None:
        super().__init__(detail)
        self.errors = errors


class NotYours(QueueError):
    """It was handed out to another worker than the one whose token this is."""

    title = "Another worker's"


class Conflict(QueueError):
    """What is asked does not fit the present state."""

    title = "Does not fit the present state"


class StaleReport(Conflict):
    """The report is about an attempt that is over; the worker should stop drawing it."""

    title = "The attempt is over"


class KeyReused(QueueError):
    """The Idempotency-Key was used for another request."""

    title = "Idempotency-Key used for another request"


class RaceLost(QueueError):
    """A guarded statement met a row that was not as it had been read; nothing was changed."""

    title = "Somebody was faster"
