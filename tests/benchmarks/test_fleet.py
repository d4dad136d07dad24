"""A small and hurried fleet, on a server that really runs: nothing is drawn twice, nothing is lost."""

from pathlib import Path

from .databases import Sqlite
from .fleet import play, served
from .fleet_report import IDLE, WORKING, Plan, as_text

LIVES = (3, 10, 30, 90)  # seconds; a busy machine needs longer to draw anything


def test_a_fleet_draws_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    for seconds in LIVES:
        folder = tmp_path / f"{seconds}"
        folder.mkdir()
        with served(Sqlite(), folder) as (port, parts):
            result = play(Plan(workers=6, seconds=seconds, speed=50), port, parts)
        found = result.verdict
        assert (found.doubles, found.losses, found.forgotten) == ([], [], [])
        assert [phase.name for phase in result.phases] == [IDLE, WORKING]
        assert "doubles: 0, losses: 0" in as_text("sqlite", {}, result)
        if found.panels["completed"]:
            break
    assert found.panels["completed"] > 0
