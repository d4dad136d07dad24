"""A hostile web site: it serves its tricks over http and https, and under a name that leads to the server later on."""

import http.client
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .stub_site import _certificate

FOLDER = Path(__file__).parent / "hostile"
REBOUND = "rebind.example"
SANDBOX = "allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox allow-downloads allow-modals"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A page that means no good</title>
<link rel="icon" href="data:,">
<body>
<script src="/hostile/attacks.js"></script>
"""
BROKEN_POLICY = "<!doctype html><meta charset=utf-8><script>void 'the policy forbids this script'</script>"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Allow-Headers": "content-type",
    "Timing-Allow-Origin": "*",
}
NOT_PASSED_ON = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"}


class HostileSite:
    """The site on two free ports of the loopback interface; Chromium is told which names it goes by.

    It is on this machine, as a program that somebody was talked into starting could be. Browsers ask about pages of
    the internet that fetch from this machine, and not about these.
    """

    def __init__(self, folder: Path, server_port: int) -> None:
        self.server_port = server_port
        self._open = _HostileServer(self)
        self._secure = _HostileServer(self)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_certificate(folder))
        # The handshake is left to the connection's own thread: browsers open connections that say nothing.
        self._secure.socket = context.wrap_socket(self._secure.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._open.server_address[1])
        self._threads = [threading.Thread(target=one.serve_forever, daemon=True) for one in (self._open, self._secure)]
        for thread in self._threads:
            thread.start()

    @property
    def resolver_rules(self) -> str:
        """What makes Chromium find the site: `--host-resolver-rules`."""
        rules = {
            f"{REBOUND}:{self.server_port}": self.port,
            "*.example:80": self.port,
            "*.example:443": int(self._secure.server_address[1]),
        }
        return ", ".join(f"MAP {name} 127.0.0.1:{port}" for name, port in rules.items())

    def close(self) -> None:
        """Stop serving."""
        for one in (self._open, self._secure):
            one.shutdown()
            one.server_close()
        for thread in self._threads:
            thread.join()


class _HostileServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps connections open

    def __init__(self, site: HostileSite) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that is closed in the middle is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HostileServer

    def do_GET(self) -> None:
        wanted = urlsplit(self.path)
        pages: dict[str, Callable[[str], None]] = {
            "/hostile/": self._page,
            "/hostile/content-script": self._page,  # an extension has one for this address
            "/hostile/sandbox": self._sandbox,
            "/hostile/attacks.js": lambda _: self._script("attacks.js"),
            "/hostile/service-worker.js": lambda _: self._script("service-worker.js"),
            "/hostile/redirect": self._redirect,
            "/hostile/report": self._report,
        }
        to = parse_qs(wanted.query).get("to", [""])[0]
        if wanted.path in pages:
            pages[wanted.path](to)
        elif self.headers.get("Host", "").startswith(REBOUND):
            self._pass_on()
        else:
            self._answer("text/plain", "not found", 404)

    do_POST = do_PATCH = do_HEAD = do_GET  # noqa: N815 - so http.server wants it

    def do_OPTIONS(self) -> None:
        if self.path.startswith("/hostile/"):
            self._answer("text/plain", "", 204)
        else:
            self._pass_on()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def _page(self, _to: str) -> None:
        self._answer("text/html", PAGE)

    def _sandbox(self, _to: str) -> None:
        frame = f'<iframe name="sandboxed" sandbox="{SANDBOX}" src="/hostile/"></iframe>'
        self._answer("text/html", f"<!doctype html><body>{frame}")

    def _script(self, name: str) -> None:
        self._answer("text/javascript", (FOLDER / name).read_text())

    def _redirect(self, to: str) -> None:
        self._answer("text/plain", "", 307, {"Location": to})

    def _report(self, to: str) -> None:
        self._answer(
            "text/html", BROKEN_POLICY, 200, {"Content-Security-Policy": f"script-src 'none'; report-uri {to}"}
        )

    def _pass_on(self) -> None:
        """What a rebound name does: the same address leads to the server now."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_PASSED_ON}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.site.server_port, timeout=30)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in NOT_PASSED_ON]
            self._send(answer.status, kept, answer.read())
        finally:
            connection.close()

    def _answer(self, kind: str, text: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-store", **CORS, **(headers or {})}
        self._send(status, list(given.items()), text.encode())

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
