"""Answering polls, of either dialect: those that come to one process at the same time claim in one transaction."""

from collections.abc import Callable, Sequence

from flask import Flask, Response, current_app

from semantest_server.api.asking import policy
from semantest_server.changes import Changes
from semantest_server.database import db
from semantest_server.queue.claim import Claimed, hand_out_all
from semantest_server.queue.hand_outs import HandOut, Poll
from semantest_server.queue.lookout import Lookout
from semantest_server.together import Together

LOOKOUT, CLAIMS = "semantest_lookout", "semantest_claims"


def init_app(app: Flask) -> None:
    """Remember what polls would find, and claim together: a transaction costs much more than one more claim in it."""
    with app.app_context():
        app.extensions[LOOKOUT] = Lookout(Changes(db.engine.url))
    app.extensions[CLAIMS] = Together(_claim)


def take(poll: Poll) -> list[HandOut]:
    """Claim, unless what is remembered says that there is nothing for this poll."""
    lookout = _lookout()
    if lookout.is_in_vain(db.session, poll):
        return []
    claims: Together[Poll, Claimed] = current_app.extensions[CLAIMS]
    claimed = claims(poll)
    lookout.met(poll.poller, claimed.worker)
    return claimed.hand_outs


def after_poll(response: Response, poll: Poll | None = None, found: bool = False) -> Response:
    """Tell the client when to poll again: soon while there is work."""
    idle = None if found else _lookout().idle_for(db.session, poll.poller if poll else None)
    response.headers.add("Retry-After", str(policy().poll_interval(idle)))
    return response


def _claim(waiting: Callable[[], Sequence[Poll]]) -> list[Claimed]:
    return hand_out_all(db.writing, policy(), waiting)


def _lookout() -> Lookout:
    lookout: Lookout = current_app.extensions[LOOKOUT]
    return lookout
