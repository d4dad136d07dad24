"""Sign-ins: which browsers somebody is signed in with."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from semantest_server.accounts.secrets import digest, new_secret
from semantest_server.accounts.tables import Account, SignIn
from semantest_server.clock import clock
from semantest_server.models import NAME_CHARACTERS

LIFETIME = timedelta(days=30)


def begin(session: Session, account: Account, address: str, user_agent: str) -> str:
    """Sign somebody in; the answer is the new secret by which the browser is known from now on."""
    secret, now = new_secret(), clock.now(session)
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    session.add(
        SignIn(
            digest=digest(secret),
            account_id=account.id,
            address=address[:NAME_CHARACTERS],
            user_agent=user_agent[:NAME_CHARACTERS],
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    return secret


def find(session: Session, secret: str) -> SignIn | None:
    """The sign-in with its account, while it lasts."""
    found = session.get(SignIn, digest(secret), options=[joinedload(SignIn.account)])
    return found if found is not None and found.expires_at > clock.now(session) else None


def of_account(session: Session, account_id: int) -> Sequence[SignIn]:
    """The sign-ins of an account that last, newest first."""
    mine = select(SignIn).where(SignIn.account_id == account_id, SignIn.expires_at > clock.now(session))
    return session.scalars(mine.order_by(SignIn.created_at.desc())).all()


def end(session: Session, secret: str) -> None:
    """Sign out the browser that has this secret."""
    session.execute(delete(SignIn).where(SignIn.digest == digest(secret)))


def end_everywhere(session: Session, account_id: int) -> None:
    """Sign an account out of every browser."""
    session.execute(delete(SignIn).where(SignIn.account_id == account_id))
