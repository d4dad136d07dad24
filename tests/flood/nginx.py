"""nginx with docs/nginx.conf, on ports and in a folder of its own."""

import datetime
import os
import re
import resource
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..browser.server import STOP_SECONDS, free_port
from ..browser.waiting import until
from .clients import HOST, LOOPBACK, Client

CONFIGURATION = Path(__file__).parents[2] / "docs" / "nginx.conf"
FETCHED = Path(sys.executable).parents[1] / "nginx" / "usr" / "sbin" / "nginx"  # where scripts/nginx puts it
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def find_nginx() -> str | None:
    """The program: the system's, else the one that scripts/nginx fetched."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    return shutil.which("nginx", path=path) or shutil.which(FETCHED)


class Nginx:
    """nginx in front of whatever listens on the port `upstream`; `changes` replaces lines of the configuration."""

    def __init__(self, program: str, folder: Path, upstream: int, changes: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.http, self.https = free_port(), free_port()
        self.tls = make_certificate(folder)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nginx.conf").write_text(self._configuration(upstream, changes or {}))

    def start(self) -> None:
        """Start it, and return once it listens."""
        options = {"-p": self.folder, "-c": self.folder / "nginx.conf", "-e": self.folder / "error.log"}
        words = [str(word) for option in options.items() for word in option]
        self._process = subprocess.Popen([self._program, *words, "-g", "daemon off;"], start_new_session=True)
        until(self._is_up, "nginx answers")

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def log(self) -> str:
        """What it has complained of."""
        path = self.folder / "error.log"
        return path.read_text() if path.exists() else ""

    def client(self, address: str = LOOPBACK, **headers: str) -> Client:
        """A client that asks over TLS, from an address of its own."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client(self.https, self.tls, address, named)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"nginx has stopped:\n{self.log()}"
        try:
            return Client(self.http).ask("HEAD", "/").status == 308
        except ConnectionError:
            return False

    def _configuration(self, upstream: int, changes: dict[str, str]) -> str:
        files = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        paths = "".join(f"    {name}_temp_path {self.folder / name};\n" for name in TEMPORARY)
        text = CONFIGURATION.read_text()
        for old, new in {
            "user www-data;\n": "user root;\n" if os.geteuid() == 0 else "",  # the folder is for its owner only
            "/run/nginx.pid": str(self.folder / "nginx.pid"),
            "/var/log/nginx/": f"{self.folder}/",
            "worker_rlimit_nofile 65536;": f"worker_rlimit_nofile {files};",
            "\nhttp {\n": f"\nhttp {{\n{paths}",
            f"/etc/letsencrypt/live/{HOST}/": f"{self.folder}/",
            "server 127.0.0.1:3003;": f"server {LOOPBACK}:{upstream};",
            "listen 80;": f"listen {LOOPBACK}:{self.http};",
            "listen 443 ssl;": f"listen {LOOPBACK}:{self.https} ssl;",
            "listen [::]:80;": "",
            "listen [::]:443 ssl;": "",
            **changes,
        }.items():
            assert old in text, f"docs/nginx.conf has no {old!r} any more"
            text = text.replace(old, new)
        return text


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Make a key and a certificate that it signs itself, where nginx looks for them; clients trust it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    (folder / "privkey.pem").write_bytes(private)
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(encoding))
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


def complaints(log: str) -> list[str]:
    """The lines of a log that say that nginx itself was in trouble, such as too few connections."""
    return [line for line in log.splitlines() if re.search(r"\[(alert|emerg)\]|Too many open files", line)]
