"""Tokens: the passwords of programs. A token is shown once, when it is made."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from hmac import compare_digest

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from semantest_server.accounts.names import checked_name
from semantest_server.accounts.secrets import digest, new_secret
from semantest_server.accounts.tables import Scope, Token
from semantest_server.clock import clock
from semantest_server.errors import Conflict, NotFound

TEXT = re.compile(r"semantest_([0-9]{1,18})_([A-Za-z0-9_-]{43})")
USED_EVERY = timedelta(minutes=5)  # the last use is written down no more often than this


def create(session: Session, name: str, scope: Scope, lifetime: timedelta | None = None) -> tuple[Token, str]:
    """Make a token; the answer has its text too, which cannot be had again. Raises `Invalid`, `Conflict`."""
    secret, now = new_secret(), clock.now(session)
    token = Token(
        name=checked_name(name),
        digest=digest(secret),
        scope=scope,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    session.add(token)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is a token {token.name!r} already; revoke it first.") from None
    return token, f"semantest_{token.id}_{secret}"


def find(session: Session, text: str) -> Token | None:
    """The token of this text, if it is neither revoked nor expired."""
    match = TEXT.fullmatch(text)
    token = session.get(Token, int(match[1])) if match else None
    if match is None or token is None or not compare_digest(token.digest, digest(match[2])):
        return None
    return token if is_live(token, clock.now(session)) else None


def is_live(token: Token, now: datetime) -> bool:
    """Whether it still opens anything."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def is_use_worth_noting(token: Token, now: datetime) -> bool:
    """Whether its last use was written down so long ago that it should be again."""
    return token.used_at is None or now - token.used_at >= USED_EVERY


def note_use(session: Session, token_id: int) -> None:
    """Write down that it was used just now."""
    session.execute(update(Token).where(Token.id == token_id).values(used_at=clock.now(session)))


def every(session: Session) -> Sequence[Token]:
    """All tokens, the revoked ones too, newest first."""
    return session.scalars(select(Token).order_by(Token.id.desc())).all()


def revoke(session: Session, token_id: int) -> Token:
    """End a token for good. Raises `NotFound`."""
    token = session.get(Token, token_id)
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    token.revoked_at = token.revoked_at or clock.now(session)
    return token


def revoke_named(session: Session, name: str) -> Token:
    """End the token of that name for good. Raises `NotFound`."""
    token_id = session.scalar(select(Token.id).where(Token.name == name.strip(), Token.revoked_at.is_(None)))
    if token_id is None:
        raise NotFound(f"There is no token {name[:100]!r} that is not revoked.")
    return revoke(session, token_id)
