"""Fixtures of the flood tests: a server alone, and one behind nginx with docs/nginx.conf and accounts."""

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from .clients import Client
from .nginx import Nginx, complaints, find_nginx
from .server import Server
from .victims import Victims, sign_in

ACCOUNT, PASSWORD = "anna", "correct-horse-battery"

StartNginx = Callable[..., Nginx]


@dataclass(frozen=True)
class Behind:
    """A server with nginx in front, and who asks it."""

    server: Server
    nginx: Nginx
    victims: Victims

    def client(self, address: str, name: str, scope: str) -> Client:
        """A client at an address of its own with a new token."""
        return self.nginx.client(address, **self.server.token(name, scope))


@pytest.fixture(scope="module", autouse=True)
def many_files() -> Iterator[None]:
    """Let this process have as many open files as it may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="session")
def nginx_program() -> str:
    if sys.platform != "linux":
        pytest.skip("NO NGINX TEST HAS RUN: its clients have addresses such as 127.0.0.2, as on Linux only")
    program = find_nginx()
    if program is None:
        pytest.skip("NO NGINX TEST HAS RUN: install nginx, or run `scripts/nginx .venv/nginx`")
    return program


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Server]:
    """A server without accounts or a proxy. Its log is shown if the test fails."""
    server = Server(tmp_path)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server
    print(server.log())
    assert "Traceback" not in server.log()


@pytest.fixture
def start_nginx(nginx_program: str, tmp_path: Path) -> Iterator[StartNginx]:
    """Starts nginx in front of a port, with lines of its configuration replaced."""
    with ExitStack() as stack:

        def start(upstream: int, changes: dict[str, str] | None = None) -> Nginx:
            nginx = Nginx(nginx_program, tmp_path, upstream, changes)
            stack.callback(nginx.stop)
            nginx.start()
            return nginx

        yield start


@pytest.fixture(scope="session")
def behind(nginx_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A server with accounts and nginx in front, as docs/many-machines.md has it. Logs are shown if a test fails."""
    server = Server(tmp_path_factory.mktemp("server"), accounts="1", proxies="1")
    nginx = Nginx(nginx_program, tmp_path_factory.mktemp("nginx"), server.port)
    with ExitStack() as stack:
        server.command("account", "add", ACCOUNT, "--password", PASSWORD)
        stack.callback(server.stop)
        server.start()
        stack.callback(nginx.stop)
        nginx.start()
        person = nginx.client()
        person.headers.update(sign_in(person, ACCOUNT, PASSWORD))
        creator, worker = (nginx.client(**server.token(scope, scope)) for scope in ("creator", "worker"))
        yield Behind(server, nginx, Victims(creator, worker, person))
    print(server.log(), nginx.log())
    assert "Traceback" not in server.log()
    assert complaints(nginx.log()) == []
