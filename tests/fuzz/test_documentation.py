"""Every answer of a running server is as `/openapi.json` says, whatever is sent, on both databases.

`SEMANTEST_TEST_SEED` repeats a run's lots, `SEMANTEST_TEST_FUZZ_CASES` sets how many cases there are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from sqlalchemy.orm import Session

from semantest_server.upkeep.check import check

from ..browser.server import Server
from . import campaign


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server with a comic that two workers draw, and a single picture."""
    server = Server(tmp_path, database_url=database_url, rate_limits="off")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_every_answer_is_as_documented(server: Server, session: Session) -> None:
    fill(server)
    print(f"\nSEMANTEST_TEST_SEED={campaign.SEED} SEMANTEST_TEST_FUZZ_CASES={campaign.CASES}", flush=True)
    outcome = campaign.run(server.url)
    print(outcome)
    assert "\n\n".join(f"{name}\n{told}" for name, told in outcome.faults.items()) == ""
    assert outcome.cases >= campaign.CASES
    assert list(check(session)) == []
    assert "Traceback" not in server.log()


def fill(server: Server) -> None:
    """Queue what `campaign.NAMES` names, and let two workers take some of it."""
    server.queue_comic("Cave of Echoes", ["Hero", "Echo", "Monster", "Bats"])
    picture = json.dumps({"prompt": "A bat", "correlationId": "c-1"}).encode()
    asked = [Request(f"{server.url}/tasks", picture, {"Content-Type": "application/json"})]
    asked += [Request(f"{server.url}/tasks/pending?limit=2", headers={"X-Worker-Id": name}) for name in ("w1", "w2")]
    for one in asked:
        urlopen(one, timeout=10).close()
