"""Answering polls, of either dialect."""

from flask import Response, current_app

from semantest_server.api.asking import policy
from semantest_server.database import db
from semantest_server.queue.claim import hand_out
from semantest_server.queue.hand_outs import HandOut, Poll
from semantest_server.queue.lookout import Lookout


def take(poll: Poll) -> list[HandOut]:
    """Claim, unless what is remembered says that there is nothing for this poll."""
    lookout = _lookout()
    if lookout.is_in_vain(db.session, poll):
        return []
    claimed = hand_out(db.writing, policy(), poll)
    lookout.met(poll.poller, claimed.worker)
    return claimed.hand_outs


def after_poll(response: Response, poll: Poll | None = None, found: bool = False) -> Response:
    """Tell the client when to poll again: soon while there is work."""
    idle = None if found else _lookout().idle_for(db.session, poll.poller if poll else None)
    response.headers["Retry-After"] = str(policy().poll_interval(idle))
    return response


def _lookout() -> Lookout:
    lookout: Lookout = current_app.extensions["semantest_lookout"]
    return lookout
