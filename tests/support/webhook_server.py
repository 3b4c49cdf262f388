"""A webhook of somebody's, by HTTPS with a certificate of its own, which keeps what it was sent.

with webhook_server() as hook:
    hook.url, hook.tls            # the address, and a client's context that trusts it
    hook.posts                    # the documents that came
    hook.answer = 503
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Webhook:
    port: int
    tls: ssl.SSLContext
    posts: list[dict[str, Any]] = field(default_factory=list)
    answer: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False
    """Sends the answer's first line byte by byte, and never ends it."""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/hook/canary-token-0123456789"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    told: Webhook


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        told = cast("_Server", self.server).told
        told.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if told.drips:
            self._drip()
            return
        self.send_response(told.answer)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self) -> None:
        try:
            for _ in range(600):
                self.wfile.write(b"H")
                self.wfile.flush()
                threading.Event().wait(0.05)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def webhook_server() -> Iterator[Webhook]:
    with tempfile.TemporaryDirectory() as folder, _Server(("127.0.0.1", 0), _Handler) as server:
        certificate, key = _certificate(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        trusting = ssl.create_default_context(cafile=str(certificate))
        server.told = Webhook(server.server_address[1], trusting)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.told
        finally:
            server.shutdown()
            thread.join()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret
