"""Accounts: who may sign in, and with which password."""

from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from semantest_server.accounts.names import checked_name
from semantest_server.accounts.secrets import new_secret
from semantest_server.accounts.tables import Account, Scope, SignIn
from semantest_server.clock import clock
from semantest_server.errors import Conflict, FieldError, Invalid, NotFound

LEAST_PASSWORD = 10  # characters; NIST SP 800-63B wants at least 8 and no rules about their kinds
MOST_PASSWORD = 200  # a longer one would only cost time

_hasher = PasswordHasher()  # Argon2id with the costs of RFC 9106's low-memory profile
_nobodys = _hasher.hash(new_secret())


def add(session: Session, name: str, password: str, scope: Scope) -> Account:
    """Make an account. Raises `Invalid` for a name or password that will not do, `Conflict` if the name is taken."""
    name = checked_name(name)
    account = Account(name=name, password=_hashed(password), scope=scope, created_at=clock.now(session))
    session.add(account)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"There is an account {name!r} already.") from None
    return account


def find(session: Session, name: str) -> Account:
    """The account of that name. Raises `NotFound`."""
    account = session.scalar(select(Account).where(Account.name == name.strip()))
    if account is None:
        raise NotFound(f"There is no account {name[:100]!r}.")
    return account


def everyone(session: Session) -> Sequence[Account]:
    """All accounts, by name."""
    return session.scalars(select(Account).order_by(Account.name)).all()


def has_admin(session: Session) -> bool:
    """Whether anybody can sign in who may do everything."""
    return session.scalar(select(Account.id).where(Account.scope == Scope.ADMIN).limit(1)) is not None


def verified(session: Session, name: str, password: str) -> Account | None:
    """The account, if the password is its own. Takes as long for an account that is not there."""
    account = session.scalar(select(Account).where(Account.name == name.strip()))
    matches = _matches(account.password if account else _nobodys, password)
    return account if matches else None


def set_password(session: Session, account: Account, password: str) -> None:
    """Give it another password, and end its sign-ins. Raises `Invalid`."""
    account.password = _hashed(password)
    session.execute(delete(SignIn).where(SignIn.account_id == account.id))


def remove(session: Session, account: Account) -> None:
    """Delete an account and end its sign-ins."""
    session.execute(delete(SignIn).where(SignIn.account_id == account.id))
    session.delete(account)


def _hashed(password: str) -> str:
    if not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        message = f"Must have {LEAST_PASSWORD} to {MOST_PASSWORD} characters."
        raise Invalid("The password cannot be used.", [FieldError("/password", message)])
    return _hasher.hash(password)


def _matches(hashed: str, password: str) -> bool:
    try:
        return len(password) <= MOST_PASSWORD and _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
