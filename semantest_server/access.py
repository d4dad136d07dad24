"""Who may do what, where accounts are on: programs by their tokens, people by their sign-ins.

Where they are off, everybody whom `guard.py` lets in may do everything: that is this machine only.
"""

import re
from dataclasses import dataclass
from typing import cast

from flask import Flask, Response, current_app, flash, g, redirect, request, session, url_for
from limits import parse_many
from werkzeug import Response as AnyResponse
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized

from semantest_server.accounts import sign_ins, tokens
from semantest_server.accounts.tables import Scope
from semantest_server.clock import clock
from semantest_server.database import db
from semantest_server.guard import PAGES, note
from semantest_server.throttle import MEMORY, Throttle

WORKERS = frozenset({Scope.WORKER, Scope.ADMIN})
CREATORS = frozenset({Scope.CREATOR, Scope.ADMIN})
ADMINS = frozenset({Scope.ADMIN})
ALL = frozenset(Scope)
ANYBODY = None  # even who has no account

NEEDS = {
    "static": ANYBODY,
    "home": ANYBODY,
    "api-docs.openapi_json": ALL,
    "tasks.pending": WORKERS,
    "tasks.update_task": WORKERS,
    "tasks.update_tasks": WORKERS,
    "tasks.list_tasks": CREATORS,
    "tasks.create_task": CREATORS,
    "tasks.show_task": CREATORS,
    "tasks.list_events": CREATORS,
    "comics.list_comics": CREATORS,
    "comics.create_comic": CREATORS,
    "imports.import_comic": CREATORS,
    "comics.show_comic": CREATORS,
    "comics.update_comic": CREATORS,
    "comics.retry_comic": CREATORS,
    "extension_v2.pending_tasks": WORKERS,
    "extension_v2.task_status": WORKERS,
    "extension_v2.create_event": CREATORS,
    "extension_v2.batch_status": CREATORS,
    "extension_v2.health": ALL,
    "admin.sign_in": ANYBODY,
    "admin.begin_sign_in": ANYBODY,
    "admin.sign_out": CREATORS,
    "admin.account": CREATORS,
    "admin.change_password": CREATORS,
    "admin.sign_out_everywhere": CREATORS,
    "admin.tokens": ADMINS,
    "admin.create_token": ADMINS,
    "admin.revoke_token": ADMINS,
    "admin.comic": CREATORS,
    "admin.comic_progress": CREATORS,
    "admin.comic_panels": CREATORS,
    "admin.change_status": CREATORS,
    "admin.change_settings": CREATORS,
    "admin.retry_selected": CREATORS,
    "admin.cancel_selected": CREATORS,
    "admin.move_selected": CREATORS,
    "admin.replace": CREATORS,
    "admin.preview_replacement": CREATORS,
    "admin.replace_prompts": CREATORS,
    "admin.export_csv": CREATORS,
    "admin.export_json": CREATORS,
    "admin.panel": CREATORS,
    "admin.panel_state": CREATORS,
    "admin.panel_history": CREATORS,
    "admin.picture": CREATORS,
    "admin.change_panel": CREATORS,
    "admin.retry_panel": CREATORS,
    "admin.cancel_panel": CREATORS,
    "admin.draw_panel_next": CREATORS,
    "admin.composed_panel": CREATORS,
    "admin.comics": CREATORS,
    "admin.comics_live": CREATORS,
    "admin.new_comic": CREATORS,
    "admin.queue_comic": CREATORS,
    "admin.composed_row": CREATORS,
    "admin.upload": CREATORS,
    "admin.change_upload": CREATORS,
    "admin.upload_rows": CREATORS,
    "admin.discard_upload": CREATORS,
    "admin.home": CREATORS,
    "admin.home_live": CREATORS,
    "admin.pause_everything": CREATORS,
    "admin.resume_everything": CREATORS,
    "admin.resume_comic": CREATORS,
    "admin.retry_failed": CREATORS,
    "admin.workers": CREATORS,
    "admin.workers_live": CREATORS,
    "admin.change_label": CREATORS,
    "admin.hold": CREATORS,
    "admin.release": CREATORS,
    "admin.activity": CREATORS,
    "admin.activity_live": CREATORS,
    "admin.activity_file": CREATORS,
    "admin.settings": CREATORS,
    "admin.sites": CREATORS,
    "admin.change_attempts": ADMINS,
    "admin.change_site": ADMINS,
    "admin.styles": CREATORS,
    "admin.add_style": CREATORS,
    "admin.change_style": CREATORS,
    "admin.remove_style": CREATORS,
}

POLLS = ("tasks.pending", "extension_v2.pending_tasks")
BEARER = re.compile(r"Bearer +([!-~]+) *", re.IGNORECASE)
FAILURES = "20 per 5 minutes"  # wrong tokens from one address, and wrong passwords from one address
ACCOUNT_FAILURES = "50 per hour"  # wrong passwords for one account, from wherever
NOTES = "1 per 5 minutes"  # that an address is refused for its failures is logged so often: they come in floods
SIGN_IN = "sign_in"  # where the session keeps the secret


@dataclass(frozen=True)
class Caller:
    """Who a request comes from: a person's account, or a token."""

    name: str
    scope: Scope
    account_id: int | None = None
    token_id: int | None = None

    @property
    def key(self) -> str:
        """What tells callers apart."""
        return f"token {self.token_id}" if self.token_id else f"account {self.account_id}"


@dataclass(frozen=True)
class Throttles:
    """The counts of one process."""

    polls: Throttle | None
    requests: Throttle | None
    addresses: Throttle
    accounts: Throttle
    notes: Throttle


def init_app(app: Flask) -> None:
    """Ask of every request who it comes from, and refuse it if they may not, or too often."""
    app.extensions["semantest_throttles"] = new_throttles(app)
    if app.config["SEMANTEST_ACCOUNTS"] or app.config["SEMANTEST_RATE_LIMITS"]:
        app.before_request(check)


def new_throttles(app: Flask) -> Throttles:
    """Counts that begin now."""
    given = app.config["SEMANTEST_RATE_LIMITS"]
    rates = parse_many(given) if given and given != "off" else None
    storage = app.config["SEMANTEST_RATE_LIMIT_STORAGE"] or MEMORY
    return Throttles(
        polls=Throttle(rates) if rates else None,  # in memory always: polls are many, and must cost little
        requests=Throttle(rates, storage) if rates else None,
        addresses=Throttle(parse_many(FAILURES), storage),
        accounts=Throttle(parse_many(ACCOUNT_FAILURES), storage),
        notes=Throttle(parse_many(NOTES)),
    )


def accounts_are_on() -> bool:
    """Whether who asks has to say who they are."""
    return bool(current_app.config["SEMANTEST_ACCOUNTS"])


def caller() -> Caller | None:
    """Who this request comes from; None where accounts are off or nobody need be known."""
    return cast("Caller | None", g.get("caller"))


def throttles() -> Throttles:
    """The counts of this process."""
    return cast(Throttles, current_app.extensions["semantest_throttles"])


def check() -> AnyResponse | None:
    """Find out who asks, and refuse what they may not do, or do too often."""
    if request.method == "OPTIONS":
        return None  # a browser asks before it sends, without a token; the answer tells nothing
    if not accounts_are_on():
        _throttle(request.remote_addr or "")
        return None
    is_page = request.path.startswith(PAGES)
    needs = NEEDS.get(request.endpoint, ADMINS) if request.endpoint else ANYBODY  # a 404 is for everybody
    if is_page:
        g.caller = _person()
    elif needs is not ANYBODY:
        g.caller = _program()
    _throttle(g.caller.key if caller() else request.remote_addr or "")
    if needs is ANYBODY:
        return None
    if g.caller is None:
        return _to_sign_in() if is_page else _refuse_unknown()
    if g.caller.scope not in needs:
        note("scope_refused", caller=g.caller.name, scope=g.caller.scope.value)
        raise Forbidden(f"That is not for a {g.caller.scope} to do.")
    return None


def count_failure(*, name: str | None = None) -> None:
    """Count a wrong token, or a wrong password for an account of this name."""
    throttles().addresses.hit(*_guesser(name))
    if name is not None:
        throttles().accounts.hit(name)


def refuse_guesses(*, name: str | None = None) -> None:
    """Raise `TooManyRequests` if there were too many wrong tokens or passwords before this one."""
    waits = [throttles().addresses.wait(*_guesser(name))]
    if name is not None:
        waits.append(throttles().accounts.wait(name))
    seconds = max(filter(None, waits), default=None)
    if seconds is not None:
        if throttles().notes.hit(*_guesser(name)) is None:
            note("guesses_refused", account=name or "")
        raise TooManyRequests("Too many wrong passwords or tokens came from there.", retry_after=seconds)


def _guesser(name: str | None) -> tuple[str, str]:
    """Who guesses, and what: a browser with an old token must not keep the people beside it from signing in."""
    return "token" if name is None else "password", request.remote_addr or ""


def _throttle(key: str) -> None:
    throttle = throttles().polls if request.endpoint in POLLS else throttles().requests
    seconds = throttle.hit(key) if throttle else None
    if seconds is not None:
        raise TooManyRequests("That was too often.", retry_after=seconds)


def _person() -> Caller | None:
    secret = session.get(SIGN_IN)
    found = sign_ins.find(db.session(), secret) if isinstance(secret, str) else None
    if found is None:
        return None
    caller = Caller(found.account.name, found.account.scope, account_id=found.account_id)
    db.session.rollback()
    return caller


def _program() -> Caller | None:
    given = request.headers.get("Authorization")
    if given is None:
        return None
    match = BEARER.fullmatch(given)
    reading = db.session()
    token = tokens.find(reading, match[1]) if match else None
    if token is None:
        refuse_guesses()  # only wrong ones: others behind the same address have right ones, and nobody guesses 256 bits
        count_failure()
        note("token_refused")
        raise _unauthorized("The token is not known, expired or revoked.", "invalid_token")
    caller = Caller(token.name, token.scope, token_id=token.id)
    if tokens.is_use_worth_noting(token, clock.now(reading)):
        with db.writing() as writing:
            tokens.note_use(writing, caller.token_id or 0)
    else:
        reading.rollback()
    return caller


def _refuse_unknown() -> AnyResponse:
    raise _unauthorized("Send a token: `Authorization: Bearer …`. `semantest-server token create` makes one.")


def _unauthorized(detail: str, error: str | None = None) -> Unauthorized:
    values: dict[str, str | None] = {"realm": "Semantest", **({"error": error} if error else {})}
    return Unauthorized(detail, www_authenticate=WWWAuthenticate("bearer", values))


def _to_sign_in() -> AnyResponse:
    """Lead to the page where people sign in, and from there back."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not request.headers.get("HX-Request") else None
    address = url_for("admin.sign_in", next=back)
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": address})
    if request.method != "GET":
        flash("You were signed out, so nothing was changed. Sign in, and then repeat what you did.", "error")
    return redirect(address, 303)
