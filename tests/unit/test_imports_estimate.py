"""How long a comic will take at a site's pace."""

from datetime import UTC, datetime

import pytest

from semantest_server.imports.estimate import paced_seconds
from semantest_server.policy import Pacing

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = 86_400


@pytest.mark.parametrize(
    ("pacing", "seconds"),
    [
        (Pacing(), 1_000),
        (Pacing(gap_seconds=5), 1_000),
        (Pacing(gap_seconds=30), 3_000),
        (Pacing(break_after=20, break_seconds=60), 1_000 + 4 * 60),
        (Pacing(break_after=20, break_seconds=60, since_break=19), 1_000 + 5 * 60),
        (Pacing(daily_cap=100), 1_000),
        (Pacing(daily_cap=60), DAY / 2 + 40 * 10),
        (Pacing(daily_cap=40), DAY / 2 + DAY + 20 * 10),
        (Pacing(daily_cap=60, day="2026-11-22", today=60), DAY / 2 + DAY + 40 * 10),
        (Pacing(daily_cap=60, day="2026-11-21", today=60), DAY / 2 + 40 * 10),
    ],
)
def test_a_hundred_panels_of_ten_seconds_take_as_long_as_their_site_lets_them(pacing: Pacing, seconds: float) -> None:
    assert paced_seconds(100, 10, pacing, NOON) == seconds
