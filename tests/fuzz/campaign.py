"""Requests that Schemathesis makes from the documentation, and whether every answer is as documented."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any
from zlib import crc32

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import EngineEvent, FatalError, NonFatalError, ScenarioFinished
from schemathesis.schemas import BaseSchema

SEED = os.environ.get("SEMANTEST_TEST_SEED") or "everyday"  # `make fuzz` draws new lots each time
CASES = int(os.environ.get("SEMANTEST_TEST_FUZZ_CASES", "1500"))  # on each database
MOST_IN_A_ROUND = 4_000  # each round begins again to learn ids from answers
FIRST = {"coverage"}  # there are as many of these as the documentation has edges
LATER = {"fuzzing", "stateful"}

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
# Schemathesis has more checks, which cannot apply here:
# - `positive_data_acceptance`: a schema checks form, and the queue facts. A number that is taken, a path that Windows
#   reserves, a key that was used before are 422 or 409 though their form is right.
# - `missing_required_header`: no header is required.
# - `ignored_auth`: a server without accounts asks nobody for a token; tests/http/test_access.py is about the others.
# - `use_after_free`, `ensure_resource_availability`: nothing is ever deleted.
# - `max_response_time`: timing decides no test.
EXCEPTIONS = [
    {
        # One bad report spoils no other: the list is answered with 200, and each bad one in it with its own 422. To try
        # an import tells with 200 what is wrong with its rows; tests/http/test_comics_import.py is about them.
        "include-path": ["/tasks/status", "/comics/import"],
        "checks": {"negative_data_rejection": {"enabled": False}},
    },
    {
        # `PATCH /tasks/{task_id}` and `/comics/{comic_id}` take any name, these as well, so that `Allow` has methods
        # which the documentation, rightly, has at the other address only.
        "include-path": ["/tasks/pending", "/tasks/status", "/comics/import"],
        "checks": {"allow_header_conformance": {"enabled": False}},
    },
]
NAMES = {  # what is in the queue when it begins, for requests that would find nothing by chance
    "ids": ["1", "2", "3", "4", "5", "6", "1.1", "2.1", "3.1", "4.1", "c-1"],
    "comics": ["1", "2"],
    "workers": ["w1", "w2"],
}
BINDINGS = {
    "path.task_id": "ids",
    "path.comic_id": "comics",
    "header.X-Worker-Id": "workers",
    "body.taskId": "ids",
    "body.[*].taskId": "ids",
    "body.tasks.[*]": "ids",
    "query.comic": "comics",
    "query.correlationIds": "ids",
}


@dataclass
class Campaign:
    """What was sent, how often each status was answered, and what was wrong, by check and operation."""

    sent: Counter[str] = field(default_factory=Counter)  # by phase
    answers: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """How many cases were sent and answered: those at the edges of every field, and those that lots decide."""
        return self.sent.total()

    def take_in(self, event: EngineEvent) -> None:
        """Count what was sent, and keep what was wrong with the answers."""
        if isinstance(event, ScenarioFinished):
            answered = [one.response for one in event.recorder.interactions.values() if one.response is not None]
            self.sent[event.phase.value] += len(answered)
            self.answers.update(response.status_code for response in answered)
            for name, failure, request in _failures(event):
                self.faults.setdefault(f"{name}: {failure.operation}: {failure.title}", f"{failure.message}\n{request}")
        elif isinstance(event, NonFatalError):
            self.faults.setdefault(f"{event.label}", str(event.info))
        elif isinstance(event, FatalError):
            self.faults.setdefault("Schemathesis has stopped", repr(event.exception))

    def __str__(self) -> str:
        statuses = ", ".join(f"{number} × {status}" for status, number in sorted(self.answers.items()))
        return f"{self.cases:,} cases ({dict(self.sent)}): {statuses}"


def run(url: str, cases: int = CASES, seed: str = SEED) -> Campaign:
    """Send at least so many cases to the server there: first those at the edges of every field, then random ones."""
    campaign = Campaign()
    for number in count():
        wanted = min(cases - campaign.cases, MOST_IN_A_ROUND)
        if wanted <= 0 or campaign.faults:
            return campaign
        before = campaign.cases
        round_seed = Random(f"{seed} {number}").getrandbits(64)
        for event in from_schema(_schema(url, round_seed, wanted, phases=LATER if number else FIRST)).execute():
            campaign.take_in(event)
        assert campaign.cases > before, "a round sent nothing"
    raise AssertionError


def _schema(url: str, seed: int, cases: int, phases: set[str]) -> BaseSchema:
    """The documentation, with what is to be made of it."""
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "operations": EXCEPTIONS,
            "generation": {
                "max-examples": max(2, cases // 20),
                "allow-extra-parameters": False,  # in an address: nobody reads them, so nobody refuses them
                "database": "none",
                "no-shrink": True,
            },
            "dictionaries": {name: {"values": values} for name, values in NAMES.items()},
            "parameters": {name: {"dictionary": values, "probability": 0.5} for name, values in BINDINGS.items()},
            "phases": {name: {"enabled": name in phases} for name in (*FIRST, *LATER, "examples")},
        }
    )
    return schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)


@schemathesis.hook("before_call")
def _seldom_repeat(_context: Any, case: Any, _kwargs: Any) -> None:
    """Leave out most short keys: a key that was used for another request is refused, whatever else is in it."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key is not None and len(key) <= 200 and crc32(repr(case.body).encode(errors="replace")) % 8:
        del case.headers["Idempotency-Key"]


def _failures(event: ScenarioFinished) -> Iterator[tuple[str, Failure, str]]:
    """The checks that failed, with what was wrong and a command that sends the same request."""
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.status is Status.FAILURE and check.failure_info is not None:
                yield check.name, check.failure_info.failure, check.failure_info.code_sample
