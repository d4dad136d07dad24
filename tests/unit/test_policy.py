"""The rules of the queue as numbers: backoff, leases, the pace of polls and of sites, the remaining time."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from semantest_server.policy import Pacing, Policy, average_seconds, remaining_seconds, remaining_text

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SEEDS = range(200)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


class Longest(random.Random):
    """Chance that always gives the most."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Shortest(random.Random):
    """Chance that always gives the least."""

    def uniform(self, a: float, b: float) -> float:
        return a


# ---- backoff: 10 s × 2^(n−1), at most 10 min, ±20 %


@pytest.mark.parametrize(("failures", "wait"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (8, 600), (1000, 600)])
def test_the_backoff_doubles_with_each_failure_up_to_ten_minutes(failures: int, wait: float) -> None:
    assert Policy().backoff(failures, Shortest()).total_seconds() == pytest.approx(wait * 0.8)
    assert Policy().backoff(failures, Longest()).total_seconds() == pytest.approx(wait * 1.2)


def test_the_backoff_is_spread_over_its_forty_percent() -> None:
    waits = [Policy().backoff(1, random.Random(seed)).total_seconds() for seed in SEEDS]
    assert 8 <= min(waits) < 8.5
    assert 11.5 < max(waits) <= 12


def test_the_backoff_starts_from_the_seconds_that_were_set() -> None:
    assert Policy(backoff_seconds=1).backoff(3, Longest()) == seconds(4.8)


def test_a_backoff_of_no_seconds_is_none() -> None:
    assert Policy(backoff_seconds=0).backoff(5) == timedelta()


def test_an_attempt_that_does_not_count_waits_like_the_first_failure() -> None:
    assert Policy().backoff(0, Longest()) == Policy().backoff(1, Longest())


# ---- leases and attempts


def test_a_worker_that_names_itself_first_gets_the_acknowledgement_window() -> None:
    assert Policy().first_lease(named=True) == seconds(60)


def test_a_worker_that_does_not_name_itself_gets_the_full_lease_at_once() -> None:
    assert Policy().first_lease(named=False) == timedelta(minutes=5)


def test_the_times_are_those_that_were_set() -> None:
    policy = Policy(ack_seconds=2, lease_seconds=3, resend_seconds=4, give_back_seconds=5)
    assert (policy.ack, policy.lease, policy.resend, policy.give_back) == tuple(map(seconds, (2, 3, 4, 5)))


@pytest.mark.parametrize(("used", "left"), [(0, 3), (1, 2), (3, 0), (4, 0)])
def test_three_attempts_are_allowed_by_default(used: int, left: int) -> None:
    assert Policy().attempts_left(used) == left


@pytest.mark.parametrize(("used", "fails"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_lapse_fails_a_counted_attempt_that_was_the_last_one_allowed(used: int, fails: bool) -> None:
    assert Policy().lapse_fails(counted=True, used=used, lapses=0) is fails


@pytest.mark.parametrize(("before", "fails"), [(0, False), (8, False), (9, True)])
def test_the_tenth_uncounted_lapse_in_a_row_fails(before: int, fails: bool) -> None:
    assert Policy().lapse_fails(counted=False, used=0, lapses=before) is fails


# ---- the pace of polls


def test_polls_come_every_five_seconds_while_there_is_work() -> None:
    assert Policy().poll_interval(None, Longest()) == 5


def test_the_interval_grows_while_the_queue_stays_empty_and_never_above_thirty_seconds() -> None:
    intervals = [Policy().poll_interval(seconds(idle), Longest()) for idle in range(0, 4000, 10)]
    assert intervals == sorted(intervals)
    assert intervals[0] == 5
    assert intervals[-1] == 30
    assert len(set(intervals)) > 5


def test_the_jitter_spreads_polls_and_never_makes_one_late() -> None:
    idle = {Policy().poll_interval(seconds(9999), random.Random(seed)) for seed in SEEDS}
    busy = {Policy().poll_interval(None, random.Random(seed)) for seed in SEEDS}
    assert max(idle) == 30
    assert len(idle) > 3
    assert busy <= {4, 5}


def test_an_interval_is_at_least_a_second() -> None:
    assert Policy(poll_seconds=1, idle_poll_seconds=1).poll_interval(None, Shortest()) == 1


def test_the_interval_keeps_to_what_was_set() -> None:
    policy = Policy(poll_seconds=2, idle_poll_seconds=7)
    assert policy.poll_interval(None, Longest()) == 2
    assert policy.poll_interval(timedelta(days=1), Longest()) == 7


# ---- pacing


def test_all_pacing_is_off_by_default() -> None:
    pacing = Pacing().after(NOON, 1000)
    assert not pacing.is_on
    assert pacing.allowance(NOON, 50) == 50
    assert pacing.held_until(NOON) is None


def test_with_a_gap_one_panel_is_allowed_and_the_next_after_the_gap() -> None:
    pacing = Pacing(gap_seconds=20)
    assert pacing.allowance(NOON, 10) == 1
    pacing = pacing.after(NOON, 1)
    assert pacing.held_until(NOON + seconds(19.9)) == ("pacing", NOON + seconds(20))
    assert pacing.allowance(NOON + seconds(19.9), 10) == 0
    assert pacing.held_until(NOON + seconds(20)) is None
    assert pacing.allowance(NOON + seconds(20), 10) == 1


def test_a_break_follows_every_n_panels_handed_out() -> None:
    pacing = Pacing(break_after=5, break_seconds=60)
    assert pacing.allowance(NOON, 10) == 5
    pacing = pacing.after(NOON, 3)
    assert pacing.allowance(NOON, 10) == 2
    pacing = pacing.after(NOON + seconds(7), 2)
    assert pacing.held_until(NOON + seconds(8)) == ("pacing", NOON + seconds(67))
    assert pacing.allowance(NOON + seconds(66), 10) == 0
    assert pacing.allowance(NOON + seconds(67), 10) == 5


@pytest.mark.parametrize("half_a_rule", [Pacing(break_after=5), Pacing(break_seconds=60)])
def test_a_break_needs_both_its_numbers(half_a_rule: Pacing) -> None:
    assert not half_a_rule.is_on
    assert half_a_rule.after(NOON, 5).allowance(NOON, 10) == 10


def test_a_daily_cap_is_of_the_utc_day() -> None:
    late = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    pacing = Pacing(daily_cap=12).after(NOON, 8)
    assert pacing.allowance(late, 10) == 4
    pacing = pacing.after(late, 4)
    assert pacing.held_until(late) == ("daily_cap", midnight)
    assert pacing.allowance(late, 10) == 0
    assert pacing.held_until(midnight) is None
    assert pacing.allowance(midnight, 50) == 12


def test_yesterdays_panels_do_not_count_today() -> None:
    tomorrow = NOON + timedelta(days=1)
    pacing = Pacing(daily_cap=12).after(NOON, 12).after(tomorrow, 5)
    assert pacing.allowance(tomorrow, 50) == 7


def test_the_strictest_rule_decides() -> None:
    pacing = Pacing(break_after=7, break_seconds=60, daily_cap=4)
    assert pacing.allowance(NOON, 50) == 4
    assert replace(pacing, daily_cap=100).allowance(NOON, 50) == 7
    assert replace(pacing, gap_seconds=1).allowance(NOON, 50) == 1


def test_what_is_held_by_two_rules_is_held_until_the_later_time() -> None:
    pacing = Pacing(gap_seconds=60, break_after=1, break_seconds=10).after(NOON, 1)
    held = pacing.held_until(NOON + seconds(1))
    assert held == ("pacing", NOON + seconds(60))


def test_a_cap_that_was_lowered_below_what_was_handed_out_allows_nothing() -> None:
    pacing = replace(Pacing(daily_cap=10).after(NOON, 10), daily_cap=5)
    assert pacing.allowance(NOON, 10) == 0


# ---- the remaining time


def test_the_remaining_time_is_unknown_under_three_completions() -> None:
    assert remaining_seconds(10, []) is None
    assert remaining_seconds(10, [0, 10]) is None
    assert remaining_seconds(10, [0, 10, 20]) == 100


def test_the_remaining_time_is_that_of_the_last_twenty_completions() -> None:
    slow_then_fast = [*range(0, 5000, 500), *(5000 + 10 * n for n in range(20))]
    assert remaining_seconds(100, slow_then_fast) == 1000


def test_the_span_is_divided_by_the_number_of_gaps() -> None:
    assert remaining_seconds(7, [0, 5, 30]) == 7 * 30 / 2


def test_gaps_over_ten_minutes_count_as_nothing() -> None:
    assert remaining_seconds(10, [0, 60, 60 + 601, 120 + 601]) == 10 * 120 / 3


def test_a_gap_of_ten_minutes_counts() -> None:
    assert remaining_seconds(3, [0, 600, 1200]) == 3 * 600


@pytest.mark.parametrize(
    ("completions", "average"), [([], None), ([0, 60], None), ([0, 60, 180], 90), ([0, 60, 6000, 6030], 30)]
)
def test_the_average_time_is_that_between_completions_without_long_gaps(
    completions: list[float], average: float | None
) -> None:
    assert average_seconds(completions) == average


def test_nothing_remaining_takes_no_time() -> None:
    assert remaining_seconds(0, [0, 10, 20]) == 0


def test_pending_breaks_are_added() -> None:
    pacing = Pacing(break_after=10, break_seconds=300)
    assert remaining_seconds(25, [0, 10, 20], pacing) == 250 + 2 * 300


def test_panels_since_the_last_break_bring_the_next_one_nearer() -> None:
    pacing = Pacing(break_after=10, break_seconds=300, since_break=8)
    assert remaining_seconds(5, [0, 10, 20], pacing) == 50 + 300


def test_a_break_after_the_last_panel_keeps_nobody_waiting() -> None:
    pacing = Pacing(break_after=10, break_seconds=300)
    assert remaining_seconds(20, [0, 10, 20], pacing) == 200 + 300


@pytest.mark.parametrize("off", [Pacing(break_after=10), Pacing(break_seconds=300), Pacing(gap_seconds=5)])
def test_without_breaks_none_are_added(off: Pacing) -> None:
    assert remaining_seconds(25, [0, 10, 20], off) == 250


@pytest.mark.parametrize(
    ("remaining", "text"),
    [
        (0, "less than a minute remaining"),
        (29, "less than a minute remaining"),
        (60, "1 minute remaining"),
        (47 * 60, "47 minutes remaining"),
        (47 * 60 + 20, "47 minutes remaining"),
        (59 * 60 + 59, "1 hour remaining"),
        (3600, "1 hour remaining"),
        (2 * 3600 + 60, "2 hours 1 minute remaining"),
        (23 * 3600 + 59 * 60 + 59, "1 day remaining"),
        (25 * 3600, "1 day 1 hour remaining"),
        (50 * 3600 + 1800, "2 days 2 hours remaining"),
    ],
)
def test_the_remaining_time_is_said_as_a_person_would(remaining: float, text: str) -> None:
    assert remaining_text(remaining) == text
