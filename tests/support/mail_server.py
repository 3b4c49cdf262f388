"""A mail server that speaks enough SMTP (RFC 5321) for a client that sends, and keeps what came.

with mail_server() as server:
    server.url                    # for LEAP_MAIL_URL
    server.mails                  # what was taken
    server.refuse = b"451 later"  # what a message is answered with instead
"""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import cast


@dataclass(frozen=True)
class Mail:
    """One message: the envelope's recipients, and what was in it."""

    to: tuple[str, ...]
    message: EmailMessage

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class MailServer:
    """Where it listens, what it took, and how many sessions there were."""

    port: int
    mails: list[Mail] = field(default_factory=list)
    refuse: bytes | None = None
    silent: bool = False
    sessions: int = 0

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=leap@example.org"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    told: MailServer


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        told = cast("_Server", self.server).told
        told.sessions += 1
        if told.silent:
            self.rfile.read(1)
            return
        self._say(b"220 mail.example.org ESMTP")
        recipients: list[str] = []
        for line in self.rfile:
            command = line.strip().upper()
            if command.startswith(b"RCPT TO:"):
                recipients.append(line.decode().partition("<")[2].partition(">")[0])
            if command == b"DATA":
                self._say(b"354 go on")
                self._take(told, tuple(recipients))
                recipients = []
            elif command == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 mail.example.org")

    def _take(self, told: MailServer, recipients: tuple[str, ...]) -> None:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if told.refuse is not None:
            self._say(told.refuse)
            return
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        told.mails.append(Mail(recipients, message))
        self._say(b"250 taken")

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
        self.wfile.flush()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    with _Server(("127.0.0.1", 0), _Session) as server:
        server.told = MailServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.told
        finally:
            server.shutdown()
            thread.join()
