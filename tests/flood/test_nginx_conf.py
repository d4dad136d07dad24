"""docs/nginx.conf: what it tells the server of clients, and how it answers where the server cannot."""

import json
import socket
from typing import Any

import pytest

from ..browser.server import free_port
from ..browser.waiting import until
from .clients import HOST, LOOPBACK, Answer, Client
from .conftest import Behind, StartNginx

LINE_BYTES = 8190
BODY_BYTES = 16 * 1024 * 1024
EXTENSION = "chrome-extension://" + "a" * 32


def test_what_comes_over_tls_is_kept_to_tls(behind: Behind) -> None:
    page = behind.nginx.client().ask("GET", "/admin/sign-in", headers={"X-Forwarded-Proto": "http"})
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {*str(page.headers["Set-Cookie"]).split("; ")}


def test_what_comes_without_tls_is_sent_there(behind: Behind) -> None:
    answer = Client(behind.nginx.http).ask("GET", "/tasks/pending?limit=1", host="evil.example")
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{HOST}/tasks/pending?limit=1")


def test_the_server_sees_the_address_of_the_client_and_believes_no_other(behind: Behind) -> None:
    claims = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    client = behind.nginx.client("127.0.0.8", Authorization="Bearer wrong")
    assert client.ask("GET", "/tasks/pending", headers=claims).status == 401
    until(lambda: "event=token_refused" in behind.server.log(), "it is logged")
    assert "address='127.0.0.8'" in behind.server.log()
    assert "203.0.113.7" not in behind.server.log()


def test_guesses_of_one_address_shut_out_that_address_only(behind: Behind) -> None:
    guesser = behind.nginx.client("127.0.0.9", Authorization="Bearer wrong")
    forged = ({"X-Forwarded-For": f"203.0.113.{number}"} for number in range(100))
    statuses = [guesser.ask("GET", "/tasks/pending", headers=headers).status for headers in forged]
    assert {*statuses} == {401, 429}
    assert behind.victims.worker.ask("GET", "/tasks/pending").status == 200


@pytest.mark.parametrize(("host", "forwarded", "status"), [(HOST, "evil.example", 200), ("evil.example", HOST, 403)])
def test_the_host_is_the_one_that_was_asked_for(behind: Behind, host: str, forwarded: str, status: int) -> None:
    polled = behind.victims.worker.ask("GET", "/tasks/pending", headers={"X-Forwarded-Host": forwarded}, host=host)
    assert (polled.status, polled.json) == (status, [])


def test_pages_of_other_sites_may_not_ask(behind: Behind) -> None:
    for origin, status in ((f"https://{HOST}", 200), (f"http://{HOST}", 403), ("https://evil.example", 403)):
        assert behind.victims.worker.ask("GET", "/tasks/pending", headers={"Origin": origin}).status == status


def test_lines_are_as_long_as_the_server_takes_them(behind: Behind) -> None:
    path = "/tasks/pending?holding="
    room = LINE_BYTES - len(f"GET {path} HTTP/1.1")
    assert behind.victims.worker.ask("GET", path + "," * room).status == 200
    assert is_refused_poll(behind.victims.worker.ask("GET", path + "," * (room + 1)), 414)
    assert is_refused(behind.victims.creator.ask("GET", f"/tasks?cursor={'1' * LINE_BYTES}"), 414)


@pytest.mark.parametrize("headers", [{"X": "x" * 9_000}, {f"X-{number}": "x" * 8_000 for number in range(5)}])
def test_headers_that_are_too_large_are_refused(behind: Behind, headers: dict[str, str]) -> None:
    assert is_refused_poll(behind.victims.worker.ask("GET", "/tasks/pending", headers=headers), 431)
    assert is_refused(behind.victims.creator.ask("GET", "/comics", headers=headers), 431)


def test_bodies_that_are_too_large_are_refused_before_they_are_sent(behind: Behind) -> None:
    assert is_refused(behind.victims.creator.announce("POST", "/comics", BODY_BYTES + 1), 413)
    assert is_refused_poll(behind.victims.creator.announce("POST", "/tasks/pending", BODY_BYTES + 1), 413)


def test_nonsense_is_refused(behind: Behind) -> None:
    client = behind.nginx.client()
    assert is_refused_poll(client.ask("TRACE", "/tasks/pending"), 405)
    assert is_refused(client.ask("TRACE", "/comics"), 405)
    assert is_refused_poll(client.ask("GET", "/tasks/pending", headers={"Host": "a b"}), 400)
    assert is_refused_poll(Client(behind.nginx.https).ask("GET", "/tasks/pending"), 400)  # not over TLS
    assert is_refused(client.ask("GET", "/nginx-error"), 404)


def test_while_the_server_is_down_polls_are_empty_and_the_rest_is_told_to_come_again(start_nginx: StartNginx) -> None:
    client = start_nginx(free_port()).client()
    for path in ("/tasks/pending", "/tasks/pending?limit=1&holding=341.1,342.1"):
        assert is_refused_poll(client.ask("GET", path), 502)
    for path in ("/comics", "/admin/", "/tasks/pendings", "/x?/tasks/pending", "/pending-tasks"):
        refused = client.ask("GET", path)
        assert is_refused(refused, 502)
        assert refused.headers["Retry-After"] == "5"
    polled = client.ask("GET", "/tasks/pending", headers={"Origin": EXTENSION})
    assert polled.headers["Access-Control-Allow-Origin"] == EXTENSION
    stranger = client.ask("GET", "/tasks/pending", headers={"Origin": "https://evil.example"})
    assert stranger.headers["Access-Control-Allow-Origin"] is None


def test_while_the_server_says_nothing_polls_are_empty(start_nginx: StartNginx) -> None:
    with socket.create_server((LOOPBACK, 0)) as silent:
        nginx = start_nginx(silent.getsockname()[1], {"proxy_read_timeout 60s": "proxy_read_timeout 1s"})
        assert is_refused_poll(nginx.client().ask("GET", "/tasks/pending"), 504)
        assert is_refused(nginx.client().ask("GET", "/comics"), 504)


def is_refused_poll(answer: Answer, status: int) -> bool:
    """Whether a poll got an empty array, the problem beside it, and a time to ask again."""
    problem = json.loads(str(answer.headers["Problem"]))
    assert (answer.status, answer.json, problem["status"]) == (status, [], status)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return int(str(answer.headers["Retry-After"])) > 0


def is_refused(answer: Answer, status: int) -> bool:
    """Whether anything else got a problem."""
    problem: dict[str, Any] = answer.json
    assert (answer.status, problem["status"], problem["type"]) == (status, status, "about:blank")
    assert problem["title"]
    return answer.headers["Content-Type"] == "application/problem+json"
