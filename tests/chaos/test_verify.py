"""The verification sees each kind of harm, in histories written by hand."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from .histories import History, Line, lease_problems, result_problems
from .journal import FAILURE, GIVE_BACK, PROGRESS, SUCCESS, Entry, Given, Told, Unknown
from .proxy import Reply, Traffic
from .schedule import Schedule, Strike, Target
from .verify import Rule, caps, journals

START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
LEASE = 60


def at(seconds: float) -> datetime:
    """A time so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def line(seconds: float, kind: str, attempt: int | None = None, note: str | None = None) -> Line:
    """An event; one that begins or renews a lease promises 60 s."""
    until = at(seconds + LEASE) if kind in ("handed_out", "running", "revived") else None
    return Line(kind, at(seconds), attempt, "w1", until, note)


def history(*lines: Line, status: str = "completed", ended: dict[int, str | None] | None = None) -> History:
    """The history of task 7; all of its attempts have reported."""
    attempts = {one.attempt: None for one in lines if one.attempt}
    return History(7, status, None, [line(0, "queued"), *lines], {**attempts, **(ended or {})}, set(attempts))


DRAWN = history(
    line(1, "handed_out", 1),
    line(2, "running", 1, "a"),
    line(3, "completed", 1, "b"),
    ended={1: "completed"},
)
REDRAWN = history(
    line(1, "handed_out", 1),
    line(2, "running", 1, "a"),
    line(62, "expired", 1),
    line(63, "handed_out", 2),
    line(64, "completed", 1, "b"),
    ended={1: "completed"},
)


def told(seconds: float, kind: str, note: str = "a", directive: str | None = "continue", receipt: str = "7.1") -> Told:
    """A report that was answered 2xx."""
    return Told(at(seconds).timestamp(), "w1", receipt, kind, note, directive)


def given(receipt: str = "7.1", *, by: str = "w1", until: float = 61) -> Given:
    """A hand-out that arrived."""
    return Given(at(1.1).timestamp(), by, [receipt], at(until).isoformat())


def rules(history: History, *entries: Entry) -> list[Rule]:
    """The rules that the entries show to be violated."""
    return [violation.rule for violation in journals({7: history}, entries)]


def problems(found: Iterable[str]) -> int:
    """How many problems there are."""
    return len(list(found))


@pytest.mark.parametrize("drawn", [DRAWN, REDRAWN])
def test_a_good_history_has_no_problems(drawn: History) -> None:
    assert list(lease_problems(drawn)) == []
    assert list(result_problems(drawn)) == []


@pytest.mark.parametrize(
    "lines",
    [
        [line(1, "handed_out", 1), line(2, "handed_out", 2)],
        [line(1, "handed_out", 1), line(2, "failed", 1), line(3, "handed_out", 3)],
        [line(1, "handed_out", 1), line(2, "failed", 1), line(3, "handed_out", 1)],
        [line(1, "handed_out", 1), line(60, "expired", 1)],
        [line(1, "handed_out", 1), line(2, "running", 1), line(61.5, "expired", 1)],
        [line(1, "handed_out", 1), line(2, "failed", 1), line(3, "running", 1)],
        [line(1, "handed_out", 1), line(62, "expired", 1), line(63, "handed_out", 2), line(64, "failed", 1)],
        [line(1, "handed_out", 1), line(62, "expired", 1), line(63, "handed_out", 2), line(64, "revived", 1)],
        [line(1, "handed_out", 1), line(2, "completed", 1), line(3, "handed_out", 2)],
    ],
)
def test_a_lease_that_cannot_be_is_found(lines: list[Line]) -> None:
    assert problems(lease_problems(history(*lines))) > 0


def test_a_result_that_cannot_be_is_found() -> None:
    begun, done = line(1, "handed_out", 1), line(2, "completed", 1)
    won: dict[int, str | None] = {1: "completed"}
    assert problems(result_problems(history(begun))) == 1
    assert problems(result_problems(history(begun, done))) == 1
    assert problems(result_problems(history(begun, done, done, ended=won))) == 1
    assert problems(result_problems(history(begun, done, ended=won, status="queued"))) == 1
    assert problems(result_problems(history(begun, line(2, "completed", 2), ended=won))) == 1


def test_the_picture_of_another_report_is_found() -> None:
    done = Line("completed", at(2), 1, "w1", image="https://chatgpt.com/1.png")
    drawn = history(line(1, "handed_out", 1), done, ended={1: "completed"})
    assert problems(result_problems(drawn)) == 1
    drawn.image = done.image
    assert problems(result_problems(drawn)) == 0


def test_what_was_told_and_is_there_is_fine() -> None:
    assert rules(DRAWN, told(2, PROGRESS), told(3, SUCCESS, "b"), told(4, SUCCESS, "b", "stop")) == []
    assert rules(DRAWN, told(4, FAILURE, "c", "stop"), told(4, GIVE_BACK, "c", None)) == []
    assert rules(REDRAWN, told(63, PROGRESS, "c", None), told(64, SUCCESS, "b", receipt="7")) == []


@pytest.mark.parametrize(
    "report",
    [
        told(2, PROGRESS, "not there"),
        told(2, SUCCESS, "b", "stop"),  # before anything was completed
        told(1, PROGRESS, "a", None),
        told(2, FAILURE),
        told(2, GIVE_BACK, "a", "stop"),
        told(2, PROGRESS, "a", "stop"),  # nothing was over
        told(1.5, SUCCESS, "b", None),
        told(2, PROGRESS, receipt="8.1"),
        told(3, SUCCESS, "b", receipt="7.2"),
    ],
)
def test_what_was_told_and_is_not_there_is_found(report: Told) -> None:
    assert rules(DRAWN, report) == [Rule.REPORT]


def test_a_hand_out_that_is_there_is_fine() -> None:
    assert rules(DRAWN, given(), given()) == []
    assert rules(REDRAWN, given("7.1"), given("7.2", by="w2")) == []


def test_a_hand_out_that_is_not_there_or_not_kept_is_found() -> None:
    assert rules(DRAWN, given("7.2")) == [Rule.HAND_OUT]
    assert rules(DRAWN, given("8.1")) == [Rule.HAND_OUT]
    assert rules(DRAWN, given(), given(by="w2")) == [Rule.HAND_OUT]
    assert rules(REDRAWN, given(until=90)) == [Rule.HAND_OUT]
    assert rules(DRAWN, Unknown(at(2).timestamp(), "w1", "7.1")) == [Rule.HAND_OUT]


def test_a_comic_taken_over_its_cap_is_found() -> None:
    out = [(1, 7, "handed_out"), (1, 8, "handed_out")]
    assert list(caps({1: 2}, out)) == []
    assert list(caps({1: 1}, [(1, 7, "handed_out"), (1, 7, "expired"), (1, 8, "handed_out")])) == []
    assert list(caps({1: 1, 2: 1}, [*out[:1], (2, 8, "handed_out")])) == []
    assert problems(caps({1: 1}, out)) == 1
    assert problems(caps({1: 1}, [(1, 7, "revived"), *out[1:]])) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, [], b"[]"),
        Reply(502, [("Retry-After", "5")], b"[]"),
        Reply(503, [], b"[]"),
        Reply(503, [("Retry-After", "5")], b"{}"),
    ],
)
def test_an_answer_that_must_not_be_is_found(reply: Reply) -> None:
    traffic = Traffic()
    traffic.saw("GET /tasks/pending?limit=1", "/tasks/pending?limit=1", reply)
    assert len(traffic.faults) == 1


def test_a_busy_server_that_says_so_is_fine() -> None:
    traffic = Traffic()
    traffic.saw("GET /tasks/pending", "/tasks/pending", Reply(503, [("Retry-After", "5")], b"[]"))
    traffic.saw("PATCH /tasks/7.1", "/tasks/7.1", Reply(409, [], b"{}"))
    assert traffic.faults == []
    assert traffic.requests == 2


def test_a_seed_repeats_its_schedule_and_strikes_each_once() -> None:
    counts = {Target.SERVER: 3, Target.DATABASE: 2}
    strikes = strikes_of(Schedule("a", counts))
    assert [strike.target for strike in strikes].count(Target.SERVER) == 3
    assert len(strikes) == 5
    assert strikes == strikes_of(Schedule("a", counts))
    assert strikes != strikes_of(Schedule("b", counts))


def test_nothing_is_struck_before_its_share_is_completed() -> None:
    schedule = Schedule("a", {Target.SERVER: 20})
    early = [*schedule.due(0.5, 0), *schedule.due(0.5, 100)]
    assert early
    assert all(strike.share <= 0.5 for strike in early)
    assert not schedule.is_over
    assert len(early) + len([*schedule.due(1, 200), *schedule.due(1, 300)]) == 20
    assert schedule.is_over


def strikes_of(schedule: Schedule) -> list[Strike]:
    """All that a schedule strikes."""
    return [*schedule.due(1, 0), *schedule.due(1, 100)]
