"""A stub of an AI site: a page with a prompt box that draws a picture for each prompt, and counts them."""

import json
import ssl
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .waiting import DEADLINE_SECONDS

DOMAIN = "chatgpt.com"

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A site that draws</title>
<textarea id="prompt" rows="3" cols="60"></textarea>
<button id="send">Send</button>
<section id="pictures"></section>
<script>
  document.querySelector('#send').addEventListener('click', async () => {
    const prompt = document.querySelector('#prompt').value;
    document.querySelector('#prompt').value = '';
    const response = await fetch('/drawings', { method: 'POST', body: JSON.stringify({ prompt }) });
    const picture = document.createElement('img');
    picture.className = 'picture';
    picture.alt = prompt;
    picture.src = (await response.json()).imageUrl;
    document.querySelector('#pictures').append(picture);
  });
</script>
"""

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 160" width="160" height="160">
<rect width="160" height="160" fill="hsl({hue} 45% 30%)"/>
<circle cx="{sun}" cy="48" r="20" fill="hsl({hue} 80% 80%)"/>
<path d="M0 160V118L46 66l38 44 28-30 48 46v34z" fill="hsl({hue} 40% 15%)"/></svg>"""


class StubSite:
    """The site on a free port of the loopback interface. Chromium is told that this is `DOMAIN`."""

    def __init__(self, folder: Path, drawing_seconds: float = 0.3) -> None:
        self.drawing_seconds = drawing_seconds
        self.begun: list[str] = []
        self.drawn: list[tuple[str, datetime]] = []
        self.held = 0
        self._most: int | None = None
        self._changed = threading.Condition()
        self._http = _SiteServer(self, _certificate(folder))
        self.port = int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def times_drawn(self) -> Counter[str]:
        """How often each prompt was drawn, drawings that were only begun included."""
        with self._changed:
            return Counter(self.begun)

    def hold(self, after: int = 0) -> None:
        """Complete the first `after` drawings, and hold the others (`held` counts them) until `go_on`."""
        with self._changed:
            self._most = after

    def go_on(self) -> None:
        """Complete all drawings."""
        with self._changed:
            self._most = None
            self._changed.notify_all()

    def draw(self, prompt: str) -> str:
        """Draw a picture, which takes a moment, and return its address."""
        with self._changed:
            self.begun.append(prompt)
            number = len(self.begun)
            self.held += 1 if not self._may_complete(number) else 0
            self._changed.wait_for(lambda: self._may_complete(number), DEADLINE_SECONDS)
        time.sleep(self.drawing_seconds)
        with self._changed:
            self.drawn.append((prompt, datetime.now(UTC)))
        return f"https://{DOMAIN}/pictures/{number}.svg"

    def picture(self, number: int) -> str:
        """The picture of a drawing, as SVG."""
        return PICTURE.format(hue=number * 67 % 360, sun=20 + number * 47 % 120)

    def close(self) -> None:
        """Stop serving."""
        self.go_on()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _may_complete(self, number: int) -> bool:
        return self._most is None or number <= self._most


class _SiteServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps connections open

    def __init__(self, site: StubSite, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is left to the connection's own thread: browsers open connections that say nothing.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that is closed in the middle is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _SiteServer

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer("text/html", PAGE)
        elif self.path.startswith("/pictures/"):
            number = int(self.path.removeprefix("/pictures/").removesuffix(".svg"))
            self._answer("image/svg+xml", self.server.site.picture(number))
        else:
            self._answer("text/plain", "not found", 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer("application/json", json.dumps({"imageUrl": self.server.site.draw(body["prompt"])}))

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def _answer(self, kind: str, text: str, status: int = 200) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _certificate(folder: Path) -> Path:
    """A key and a self-signed certificate for `DOMAIN`, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, DOMAIN)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
