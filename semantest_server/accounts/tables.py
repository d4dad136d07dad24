"""The tables of accounts. No password, token or sign-in can be had from them: they keep digests only."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from semantest_server.models import NAME_CHARACTERS, Base, Id, partial_index, words

DIGEST_CHARACTERS = 64  # SHA-256, in hexadecimal digits


class Scope(StrEnum):
    """What somebody may do: `worker` polls and reports, `creator` queues and reads, `admin` does everything."""

    WORKER = "worker"
    CREATOR = "creator"
    ADMIN = "admin"


class Account(Base):
    """A person who signs in to the pages; `password` is an Argon2 hash, with its salt and costs."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARACTERS), unique=True)
    password: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    scope: Mapped[Scope] = mapped_column(words(Scope))
    created_at: Mapped[datetime]


class SignIn(Base):
    """A browser in which somebody is signed in, until it signs out or `expires_at`."""

    __tablename__ = "sign_in"

    digest: Mapped[str] = mapped_column(String(DIGEST_CHARACTERS), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    address: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    user_agent: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    account: Mapped[Account] = relationship(lazy="raise")

    __table_args__ = (
        Index("ix_sign_in_account", "account_id"),
        Index("ix_sign_in_expires", "expires_at"),
    )


class Token(Base):
    """What a program sends as `Authorization: Bearer`. Of the tokens not revoked, each has a name of its own.

    A worker's token is that worker: its name is the worker's, whatever the program says of itself.
    """

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_CHARACTERS))
    digest: Mapped[str] = mapped_column(String(DIGEST_CHARACTERS))
    scope: Mapped[Scope] = mapped_column(words(Scope))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        partial_index("ix_token_name", "name", unique=True, where=text("revoked_at IS NULL")),
        {"sqlite_autoincrement": True},
    )
