"""What views ask of a request: who polls, under which key it submits, and the settings it is answered by."""

import hashlib
from typing import cast

from flask import current_app, request

from semantest_server import standing
from semantest_server.access import caller
from semantest_server.accounts.tables import Scope
from semantest_server.config import Semantest
from semantest_server.errors import FieldError, Invalid, NotFound
from semantest_server.guard import extension_id, this_request
from semantest_server.models import NAME_CHARACTERS
from semantest_server.policy import Policy
from semantest_server.queue.submit import IdempotencyKey
from semantest_server.queue.workers import Poller


def settings() -> Semantest:
    """The settings of this app."""
    return cast(Semantest, current_app.extensions["semantest"])


def policy() -> Policy:
    """The numbers that the queue obeys."""
    return standing.policy()


def poller() -> Poller:
    """Who asks: by its token, else by the name it made up, else by extension id and address, or address and browser.

    An extension id is the same in every browser that installed it, so it is no worker by itself.
    """
    asked = this_request()
    address = asked.remote_addr or "unknown"
    user_agent = asked.environ.get("HTTP_USER_AGENT", "")[:NAME_CHARACTERS]
    name = asked.environ.get("HTTP_X_WORKER_ID", "").strip()
    known = caller()
    if known is not None and known.scope is Scope.WORKER:
        return Poller(known.name, bool(name), address, user_agent, bound=True)
    if len(name) > NAME_CHARACTERS:
        message = f"Must have at most {NAME_CHARACTERS} characters."
        raise Invalid("The X-Worker-Id cannot be used.", [FieldError("/X-Worker-Id", message)])
    if name:
        return Poller(name, True, address, user_agent)
    extension = asked.environ.get("HTTP_X_EXTENSION_ID", "").strip() or extension_id(asked)
    inferred = f"extension {extension} at {address}" if extension else f"{address} {user_agent}".strip()
    return Poller(inferred[:NAME_CHARACTERS], False, address, user_agent)


def idempotency_key() -> IdempotencyKey | None:
    """The key of this submission, with a digest of all that it says."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        return None
    if len(key) > NAME_CHARACTERS:
        message = f"Must have at most {NAME_CHARACTERS} characters."
        raise Invalid("The Idempotency-Key cannot be used.", [FieldError("/Idempotency-Key", message)])
    address = request.full_path.rstrip("?")
    said = f"{request.method} {address}\n".encode() + request.get_data(cache=True)
    return IdempotencyKey(key, hashlib.sha256(said).hexdigest())


def claims_nothing() -> bool:
    """Whether this request only looks: HEAD, a prefetch, a person who opened the address, a picture's address."""
    asked = this_request()
    prefetch = asked.environ.get("HTTP_SEC_PURPOSE", "").startswith("prefetch")
    by_script = asked.environ.get("HTTP_SEC_FETCH_DEST", "empty") == "empty"
    navigates = asked.environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
    return asked.method == "HEAD" or prefetch or not by_script or navigates


def id_of(kind: str, text: str) -> int:
    """The number that an id in an address is. Raises `NotFound` for what can be none of ours."""
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) >= 2**63:
        raise NotFound(f"There is no {kind} {text[:100]!r}.")
    return int(text)
