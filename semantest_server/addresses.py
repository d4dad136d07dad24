"""Where the server listens, who reaches it there, and what a start prints about it."""

import errno
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from flask import Flask

from semantest_server.guard import EVERY_ADDRESS

BACKLOG = 2048


class Address(NamedTuple):
    """Where a socket listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self}"

    @property
    def local_url(self) -> str:
        """The same under the name that extensions have permission for."""
        return f"http://localhost:{self.port}" if self.host == "127.0.0.1" else self.url


OTHER = Address("127.0.0.1", 8080)  # the 2.x extension polls this port
ACCOUNTS_HINT = (
    "Make an account with `semantest-server account add NAME`, and set SEMANTEST_ACCOUNTS=1; or listen on 127.0.0.1."
)


class StartError(Exception):
    """The server cannot listen where it should; the message says why and what to do."""


def listen(bind: str) -> socket.socket:
    """Open one listening socket: of two that start at once, one gets it and the other is told."""
    host, port = host_of(bind), int(bind.rpartition(":")[2])
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Another program listens on {bind}, perhaps a Semantest server that runs already."
                f" Stop it, or choose another address, such as SEMANTEST_BIND={Address(host, port + 1)}."
            ) from error
        raise StartError(f"Cannot listen on {bind}: {error.strerror}.") from error
    except OverflowError as error:
        raise StartError(f"Cannot listen on {bind}: ports end at 65535.") from error


def require_accounts(app: Flask, hosts: Iterable[str]) -> None:
    """Raise `StartError` if others can reach the server and it would not ask who they are."""
    others = [host for host in hosts if not _is_loopback(host)]
    if not app.config["SEMANTEST_ACCOUNTS"]:
        if others:
            raise StartError(
                f"Without accounts, whoever reaches {others[0] or 'it'} may do everything. {ACCOUNTS_HINT}"
            )
        if app.config["SEMANTEST_PROXIES"]:
            raise StartError(f"Without accounts, whoever reaches the proxy may do everything. {ACCOUNTS_HINT}")
    if not app.config["SEMANTEST_HOSTS"] and not EVERY_ADDRESS.isdisjoint(others):
        raise StartError("Set SEMANTEST_HOSTS to the names by which others reach this server, such as comics.example.")


def greeting(addresses: list[Address], database: str, *, has_accounts: bool = False) -> str:
    """What a start prints: the pages, what extensions poll, the database, and how to stop."""
    polled = f"{addresses[0].local_url}/tasks/pending"
    other = f"  SEMANTEST_BIND={','.join(map(str, [*addresses, OTHER]))} make run"
    hint = ["The 2.x extension polls another port. To listen there too:", other, ""]
    if has_accounts:
        hint = ["Who polls sends a token: `semantest-server token create NAME` makes one.", ""]
    for address in addresses:
        if address.port == OTHER.port:
            polled = f"{polled}  and  {address.local_url}/pending-tasks"
            hint = hint if has_accounts else []
    lines = [
        "",
        "Semantest server is running.",
        "",
        f"  Pages            {addresses[0].url}/",
        f"  Extensions poll  {polled}",
        f"  Database         {database}",
        "",
        *hint,
        "Ctrl-C stops it; running requests finish first.",
        "",
    ]
    return "\n".join(lines)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(bind: str) -> str:
    """The host of an address as `SEMANTEST_BIND` has it."""
    return bind.rpartition(":")[0].strip("[]")
