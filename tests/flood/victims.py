"""Who is to be served whatever attackers do: a creator, a worker, and a person who looks at a page."""

import re
from dataclasses import dataclass
from uuid import uuid4

from ..browser.waiting import until
from .clients import HOST, Client

PANEL = {"status": "completed", "imageUrl": "https://chatgpt.com/a.png"}


@dataclass(frozen=True)
class Victims:
    """Three clients; where accounts are on, with what they need."""

    creator: Client
    worker: Client
    person: Client

    def are_served(self) -> bool:
        """Queue a comic, draw it and see it finished on a page; fails if an answer is wrong or does not come."""
        title = f"Comic {uuid4()}"
        queued = self.creator.ask("POST", "/comics", {"title": title, "prompts": ["Hero enters cave"]})
        assert queued.status == 201, queued.body
        receipt = until(self._poll, "a poll gets the panel")
        for report in ({"status": "running"}, PANEL):
            reported = self.worker.ask("PATCH", f"/tasks/{receipt}", report)
            assert (reported.status, reported.json["directive"]) in ((200, "continue"), (200, "stop")), reported.body
        page = self.person.ask("GET", f"/admin/comics/{queued.json['id']}")
        assert page.status == 200
        assert title in page.body.decode()
        shown = self.creator.ask("GET", f"/comics/{queued.json['id']}").json
        return bool(shown["status"] == "finished")

    def _poll(self) -> str | None:
        """The receipt that a poll gives; none if the process that answers has not looked again yet."""
        polled = self.worker.ask("GET", "/tasks/pending?limit=1", headers={"X-Worker-Id": "victim"})
        assert polled.status == 200, polled.body
        return str(polled.json[0]["payload"]["panels"][0]["id"]) if polled.json else None


def sign_in(client: Client, name: str, password: str) -> dict[str, str]:
    """Sign in as a browser does over TLS, and return the cookie as a header."""
    form = client.ask("GET", "/admin/sign-in")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.body.decode())
    assert token is not None, form.body
    fields = f"csrf_token={token[1]}&name={name}&password={password}".encode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookie(str(form.headers["Set-Cookie"])),
        "Origin": f"https://{HOST}",
        "Referer": f"https://{HOST}/admin/sign-in",
    }
    signed_in = client.ask("POST", "/admin/sign-in", fields, headers)
    assert signed_in.status == 303, signed_in.body.decode()
    return {"Cookie": cookie(str(signed_in.headers["Set-Cookie"]))}


def cookie(header: str) -> str:
    """What a browser sends back of a `Set-Cookie` header."""
    return header.partition(";")[0]
