"""What hostile pages try on every address of the server, and what comes of it."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from semantest_server.queue.wording import Wording

from .places import Place
from .watched_server import CANARY, UPLOAD, Asked, WatchedServer

VALUES = {
    "task_id": "2",
    "target": "2.1",
    "comic_id": "1",
    "number": "1",  # of the panel that has a picture
    "domain": f"{CANARY}.example",
    "token_id": "1",
    "worker_id": "1",
    "style_id": "1",
    "upload_id": UPLOAD,
}
WAITING = "5"  # a panel whose words can be changed
MATCHING = "which=matching"
QUERIES = {  # without which a change is not what anybody asks for
    "admin.retry_selected": MATCHING,
    "admin.cancel_selected": MATCHING,
    "admin.move_selected": f"{MATCHING}&to=top",
    "admin.preview_replacement": MATCHING,
}
NOT_ASKED_FOR = {"static"}  # everybody has those files

# An equals sign is in each, at which a form of plain text breaks it in two.
BODIES: dict[str, Any] = {
    "comics.create_comic": {"title": "Evil = good", "prompts": ["Evil"]},
    "imports.import_comic": {"title": "Evil = good", "prompts": ["Evil"]},
    "comics.update_comic": {"title": "Evil = good"},
    "comics.retry_comic": {},
    "tasks.create_task": {"prompt": "Evil = good"},
    "tasks.update_task": {"status": "failed", "message": "Evil = good"},
    "tasks.update_tasks": [{"taskId": "3.1", "status": "failed", "message": "Evil = good"}],
    "extension_v2.create_event": {"type": "PromptRequestedEvent", "payload": {"prompt": "Evil = good"}},
    "extension_v2.task_status": {"taskId": "4.1", "status": "error", "message": "Evil = good"},
}
PASSWORD = "correct horse battery"
PACING = {"gap_seconds": "7", "break_after": "7", "break_seconds": "7", "daily_cap": "7"}
FORMS: dict[str, dict[str, str]] = {
    "admin.queue_comic": {"title": "Evil", "prompts": "Evil", "priority": "high", "parallel": "1"},
    "admin.change_upload": {"title": "Evil", "do": "queue"},
    "admin.discard_upload": {},
    "admin.change_status": {"status": "paused"},
    "admin.change_panel": {"prompt": "Evil", "version": Wording(f"A {CANARY}").version},
    "admin.composed_panel": {"prompt": f"Evil {CANARY}"},
    "admin.retry_panel": {},
    "admin.cancel_panel": {},
    "admin.draw_panel_next": {},
    "admin.retry_selected": {},
    "admin.cancel_selected": {},
    "admin.move_selected": {},
    "admin.preview_replacement": {"find": CANARY, "by": "Evil"},
    "admin.replace_prompts": {"find": CANARY, "by": "Evil", "seen": "6-00000000"},
    "admin.change_settings": {"title": "Evil", "priority": "high", "parallel": "1"},
    "admin.pause_everything": {},
    "admin.resume_everything": {},
    "admin.resume_comic": {},
    "admin.retry_failed": {},
    "admin.change_label": {"label": "Evil"},
    "admin.hold": {},
    "admin.release": {},
    "admin.change_attempts": {"max_attempts": "7"},
    "admin.add_style": {"name": "evil", "text": "Evil"},
    "admin.change_style": {"style-1-name": "evil too", "style-1-text": "Evil"},
    "admin.remove_style": {},
    "admin.change_site": {f"{VALUES['domain']}-{name}": value for name, value in PACING.items()},
    "admin.create_token": {"name": "evil", "scope": "admin", "expires": ""},
    "admin.revoke_token": {},
    "admin.begin_sign_in": {"name": CANARY, "password": PASSWORD},
    "admin.change_password": {"old": PASSWORD, "new": "evil evil evil", "again": "evil evil evil"},
    "admin.sign_out": {},
    "admin.sign_out_everywhere": {},
}


QUIET_SECONDS = 0.5  # what comes later still counts for the next place
EVERYWHERE = {"fetch", "fetch of JSON", "fetch of plain text", "fetch of fields"}  # are tried on all routes
SLOWEST = {"tab", "tab after a redirect", "form in a tab", "form of text in a tab", "WebSocket"}  # never are
SAMPLE = {"tasks.pending", "admin.comic", "admin.picture", "comics.create_comic", "admin.change_status"}


@dataclass(frozen=True)
class Target:
    """One way to ask the server something."""

    endpoint: str
    method: str
    path: str
    json: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, url: str) -> dict[str, Any]:
        """The target as the tricks take it."""
        fields = [list(one) for one in self.fields]
        return {"method": self.method, "url": url + self.path + self.query, "json": self.json, "fields": fields}


def targets(app: Flask) -> list[Target]:
    """Every route that there is, with something that a stranger would send to it."""
    return [_target(rule, method) for rule, method in _routes(app)]


def _routes(app: Flask) -> Iterator[tuple[Any, str]]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in NOT_ASKED_FOR:
            yield from ((rule, method) for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}))


def _target(rule: Any, method: str) -> Target:
    values = VALUES if method == "GET" else {**VALUES, "number": WAITING}
    path = re.sub(r"<(?:[^<>]*:)?(\w+)>", lambda match: values[match[1]], rule.rule)
    if method == "GET":
        return Target(rule.endpoint, method, path)
    if path.startswith("/admin/"):
        fields = FORMS[rule.endpoint]
        query = f"?{QUERIES[rule.endpoint]}" if rule.endpoint in QUERIES else ""
        return Target(rule.endpoint, method, path, json.dumps(fields), tuple(fields.items()), query)
    body = json.dumps(BODIES[rule.endpoint])
    before, _, after = body.partition("=")
    return Target(rule.endpoint, method, path, body, ((before, after),))


@dataclass
class Outcome:
    """What one trick did to all of its targets."""

    trick: str
    targets: Sequence[Target]
    read: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    let_in: list[Asked] = field(default_factory=list)
    refused: list[Asked] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def got_in(self) -> bool:
        """Whether the trick worked on any of them."""
        return bool(self.read or self.let_in or self.changed)

    def __str__(self) -> str:
        read = [f"  read {target}: {text!r}" for target, text in self.read.items()]
        let_in = [f"  was let in: {one}" for one in self.let_in]
        changed = [f"  changed the table {name}" for name in self.changed]
        return "\n".join([f"{self.trick}:", *read, *let_in, *changed])


class Attack:
    """Everything that can be tried from one place, on one server, in one tab."""

    def __init__(self, server: WatchedServer, place: Place) -> None:
        self._server = server
        self._place = place
        self._seen = len(server.asked())
        self._contents = server.contents()

    def run(self, aims: Sequence[Target], *, in_full: bool) -> list[Outcome]:
        """Try each trick; on some of its targets only, unless that is quick or `in_full`."""
        reads = [target for target in aims if target.method == "GET"]
        writes = [target for target in aims if target.method != "GET"]
        outcomes = []
        for kind, suited in (("READS", reads), ("WRITES", writes)):
            for trick in self._place.tricks(kind):
                takes_all = trick in EVERYWHERE or (in_full and trick not in SLOWEST)
                chosen = [target for target in suited if takes_all or target.endpoint in SAMPLE]
                outcomes.append(self._try(kind, trick, chosen))
        return [*outcomes, self._rest()]

    def _rest(self) -> Outcome:
        """What came of the tricks that tell nobody how they went, and were not done yet when the next one began."""
        asked = -1
        while asked != (asked := len(self._server.asked())):
            time.sleep(QUIET_SECONDS)
        return self._look(Outcome("what came later", []))

    def _try(self, kind: str, trick: str, chosen: Sequence[Target]) -> Outcome:
        tries = self._place.attack(kind, trick, [target.at(self._place.url) for target in chosen], CANARY)
        outcome = Outcome(f"{trick} ({kind.lower()})", chosen)
        for target, one in zip(chosen, tries, strict=True):
            if one["read"]:
                outcome.read[str(target)] = one["read"]
            if one["error"]:
                outcome.errors[str(target)] = one["error"]
        self._place.close_tabs()
        return self._look(outcome)

    def _look(self, outcome: Outcome) -> Outcome:
        for one in self._server.asked(self._seen):
            self._seen += 1
            if not _is_allowed(one, self._server.port):
                (outcome.let_in if one.status < 400 else outcome.refused).append(one)
        contents = self._server.contents()
        outcome.changed = [name for name in contents if contents[name] != self._contents.get(name)]
        self._contents = contents
        return outcome


def _is_allowed(one: Asked, port: int) -> bool:
    """Whether this is a tab that was opened, of which the page that opened it sees nothing.

    Browsers also fetch ahead for a tab, in the name of the person; that must change nothing, which the database shows.
    """
    if one.host not in (f"localhost:{port}", f"127.0.0.1:{port}") or one.method != "GET":
        return False
    is_tab = one.mode == "navigate" and one.dest == "document"
    is_page = one.path == "/" or one.path.startswith("/admin/")
    is_fetched_ahead = (one.purpose or "").startswith("prefetch")
    is_of_our_page = one.site == "same-origin"  # its style sheet, say
    return is_of_our_page or (is_tab and (is_page or is_fetched_ahead))
