"""A server that writes down what it is asked, and of which everything that is kept can be compared."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from semantest_server.imports.reading import read_file
from semantest_server.imports.rows import Options
from semantest_server.imports.uploads import Source, keep_upload
from semantest_server.queue.styles import add_style

from .server import COMMAND, Server
from .waiting import until

ROOT = Path(__file__).parents[2]
GUNICORN = Path(sys.executable).with_name("gunicorn")
CANARY = "canary"  # is in the name of everything that the server keeps
UPLOAD = "0" * 32  # the id of its preview
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw=="

SAID = {"host", "origin", "site", "mode", "dest", "purpose"}
Contents = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Asked:
    """One request as the server got it, and its answer's status."""

    method: str
    path: str
    host: str | None
    origin: str | None
    site: str | None
    mode: str | None
    dest: str | None
    purpose: str | None
    status: int

    def __str__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in vars(self).items() if name in SAID and value is not None)
        return f"{self.method} {self.path} -> {self.status} ({said})"


class WatchedServer(Server):
    """The real app under gunicorn with the real settings; `is_open` takes out all that keeps foreign pages out."""

    def __init__(self, folder: Path, *, is_open: bool = False, **settings: float) -> None:
        super().__init__(folder, **settings)
        self._journal = folder / "journal.jsonl"
        self._asked: list[Asked] = []
        self._read = 0
        self._database = folder / "instance" / "semantest.db"
        self._app = f"tests.browser.watched:app({str(self._journal)!r}, {is_open})"
        self._environment["SEMANTEST_RATE_LIMITS"] = "off"

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [GUNICORN, self._app],
                cwd=ROOT,  # where gunicorn.conf.py is
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(self._is_up, "the server answers")

    @property
    def is_running(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def command(self, *arguments: str) -> str:
        """Run `semantest-server` on this server's database, and return what it prints."""
        done = subprocess.run([COMMAND, *arguments], env=self._environment, capture_output=True, text=True, check=True)
        return done.stdout

    def asked(self, since: int = 0) -> list[Asked]:
        """What it was asked, oldest first, from the number given on."""
        with self._journal.open() as journal:
            journal.seek(self._read)
            while (line := journal.readline()).endswith("\n"):
                self._asked.append(Asked(**json.loads(line)))
                self._read += len(line)
        return self._asked[since:]

    def contents(self) -> Contents:
        """Every row of every table."""
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in tables}

    def fill(self, token: str = "") -> None:
        """Queue comic 1 with panels 1 to 9 that are drawn, handed out or waiting; keep a preview and a style."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        title, site = f"The {CANARY} sings", f"{CANARY}.example"
        self.ask("POST", "/comics", {"title": title, "prompts": [f"A {CANARY}"] * 9, "domain": site}, **headers)
        self.ask("GET", "/tasks/pending?limit=4", **headers, **{"X-Worker-Id": CANARY})
        self.ask("PATCH", "/tasks/1.1", {"status": "completed", "imageUrl": PICTURE}, **headers)
        self.ask("PATCH", "/tasks/2.1", {"status": "running"}, **headers)
        self._keep(title)

    def _keep(self, title: str) -> None:
        """Keep what only pages can make."""
        engine = create_engine(f"sqlite:///{self._database}")
        with Session(engine) as session:
            reading = read_file(f"A {CANARY}".encode(), f"{CANARY}.txt")
            keep_upload(session, UPLOAD, Source(f"{CANARY}.txt", ""), reading, Options(title=title))
            add_style(session, CANARY, f"like a {CANARY}")
            session.commit()
        engine.dispose()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON that a program gets as answer."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, content, {"Content-Type": "application/json", **headers}, method=method)
        try:
            with urlopen(request, timeout=10) as response:
                return response.status, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server has stopped:\n{self.log()}"
        try:
            return self.ask("GET", "/health")[0] in (200, 401)
        except OSError:
            return False
