"""What the supervisor keeps running: a command, and how to see that it is well."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from leap_pipeline.errors import UserActionError

LOOK_SECONDS = 1.0
SERVER_ERROR = 500


@dataclass(frozen=True)
class Part:
    """One child: its command, what its environment has beside the inherited one, its address.

    `health` is asked where it differs from `url`; a part with neither is well once it has lived
    for a while. An address `tcp://host:port` is one that takes connections, and no more is asked.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    health: str | None = None

    def answers(self) -> bool:
        """Does its server answer with anything but a server error?"""
        address = self.health or self.url
        if address is None:
            return True
        if urlsplit(address).scheme == "tcp":
            return _connects(address)
        try:
            # Only addresses that LEAP itself put together come here.
            with urllib.request.urlopen(address, timeout=LOOK_SECONDS):  # noqa: S310
                return True
        except urllib.error.HTTPError as error:
            with error:
                return error.code < SERVER_ERROR
        except OSError:
            return False


def require_free_ports(parts: Sequence[Part]) -> None:
    """Raises UserActionError where another program listens on a part's address."""
    for part in parts:
        address = part.url or part.health
        if address is None:
            continue
        host, port = _place(address)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                msg = (
                    f"{part.name} cannot listen on {host}:{port}, because another program does: "
                    "end it, or set another port."
                )
                raise UserActionError(msg) from error


def _connects(address: str) -> bool:
    try:
        with socket.create_connection(_place(address), timeout=LOOK_SECONDS):
            return True
    except OSError:
        return False


def _place(address: str) -> tuple[str, int]:
    found = urlsplit(address)
    return found.hostname or "127.0.0.1", found.port or 80
