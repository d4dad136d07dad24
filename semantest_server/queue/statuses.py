"""The words of reports, what they come to, and what is answered."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from semantest_server.errors import NotFound, NotYours
from semantest_server.models import Ending


class ReportStatus(StrEnum):
    """The words of a report, from all dialects."""

    DELIVERED = "delivered"
    SENT = "sent"
    RUNNING = "running"
    IN_PROGRESS = "in_progress"
    PROCESSING = "processing"
    GENERATING = "generating"
    DOWNLOADING = "downloading"
    COMPLETED = "completed"
    IMAGE_FOUND = "image_found"
    RESPONSE_RECEIVED = "response_received"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    NO_TABS = "no_tabs"
    CANCELLED = "cancelled"


class Kind(Enum):
    """What a report comes to."""

    PROGRESS = "progress"
    SUCCESS = Ending.COMPLETED
    FAILURE = Ending.FAILED
    GIVE_BACK = Ending.GIVEN_BACK


KINDS = {
    **dict.fromkeys((ReportStatus.COMPLETED, ReportStatus.IMAGE_FOUND, ReportStatus.RESPONSE_RECEIVED), Kind.SUCCESS),
    **dict.fromkeys((ReportStatus.FAILED, ReportStatus.ERROR, ReportStatus.TIMEOUT), Kind.FAILURE),
    **dict.fromkeys((ReportStatus.NO_TABS, ReportStatus.CANCELLED), Kind.GIVE_BACK),
}


class Directive(StrEnum):
    """What the worker should do with the panel now."""

    CONTINUE = "continue"
    STOP = "stop"


class Verdict(Enum):
    """What became of a report about one attempt, as in the table of reports."""

    ACCEPTED = "accepted"
    TAKEN_BACK = "taken back"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"

    @property
    def directive(self) -> Directive:
        """Go on only if the report was accepted and the panel is still the worker's business."""
        return Directive.CONTINUE if self is Verdict.ACCEPTED else Directive.STOP


@dataclass(frozen=True)
class Report:
    """A status update about `target`: a receipt, a task's id, a hand-out's id, or a correlationId."""

    target: str
    status: ReportStatus
    progress: int | None = None
    image_url: str | None = None
    download_path: str | None = None
    message: str | None = None
    tab_id: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        """What the status comes to."""
        return KINDS.get(self.status, Kind.PROGRESS)

    @property
    def said(self) -> dict[str, Any]:
        """The report as it is kept in the history."""
        facts = {
            "progress": self.progress,
            "imageUrl": None if _is_inline(self.image_url) else self.image_url,
            "downloadPath": self.download_path,
            "tabId": self.tab_id,
        }
        return {
            "status": self.status.value,
            **{name: value for name, value in facts.items() if value is not None},
            **self.details,
        }

    @property
    def news(self) -> dict[str, Any]:
        """What makes a progress report worth a line of history: everything but how far it is."""
        return {"message": self.message, **{k: v for k, v in self.said.items() if k != "progress"}}


def _is_inline(url: str | None) -> bool:
    """Whether an address is the picture itself, which the task keeps and its history need not."""
    return url is not None and url.startswith("data:")


@dataclass(frozen=True)
class Outcome:
    """What became of one report.

    `verdicts`: by task; `hand_out`: the hand-out's id if the report was about one; `error`: why it is about
    nothing that was ever handed out.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    hand_out: str | None = None
    error: NotFound | NotYours | None = None

    @property
    def is_conflict(self) -> bool:
        """Whether nothing of what the report is about could take it."""
        return all(verdict is Verdict.CONFLICT for verdict in self.verdicts.values())

    @property
    def directive(self) -> Directive:
        """Go on if any of its panels is to go on."""
        going_on = any(verdict is Verdict.ACCEPTED for verdict in self.verdicts.values())
        return Directive.CONTINUE if going_on else Directive.STOP
