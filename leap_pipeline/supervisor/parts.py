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
    for a while.
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
        if part.url is None:
            continue
        address = urlsplit(part.url)
        host, port = address.hostname or "127.0.0.1", address.port or 80
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
