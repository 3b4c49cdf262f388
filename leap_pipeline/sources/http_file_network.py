"""Connections of downloads: only to addresses that were looked at, and all of them can be cut.

A link comes from outside, so it must not lead into the machine's own network (SSRF). The name is
resolved here, every address it has is looked at, and the connection goes to exactly one of those:
a name that answers differently the second time gains nothing. Proxies of the environment are not
used, since they would resolve the name themselves.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import typing
from collections.abc import Iterable

import httpcore

from leap_pipeline.errors import UserActionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
READ_BYTES = 1 << 18
NO_ADDRESS = "the name has no address"
STOPPED = "the download was stopped"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class PrivateAddress(UserActionError):
    """A link leads to an address that is not of the public internet."""


class CheckedNetwork(httpcore.NetworkBackend):
    """Resolves, looks, connects; `cut` ends every connection there is and lets no new one begin."""

    def __init__(self, *, private_addresses: bool = False) -> None:
        self._private = private_addresses
        self._backend = httpcore.SyncBackend()
        self._guard = threading.Lock()
        self._open: set[_Watched] = set()
        self._cut = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        for address in self._resolve(host, port):
            if self._cut:  # a name may have a hundred addresses that answer nothing
                raise httpcore.ConnectError(STOPPED)
            try:
                stream = self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
                continue
            return self._watched(stream)
        raise failed or httpcore.ConnectError(NO_ADDRESS)

    def cut(self) -> None:
        """From any thread: readers that wait wake up with an error."""
        with self._guard:
            self._cut = True
            streams = list(self._open)
        for stream in streams:
            stream.shut_down()

    def forget(self, stream: _Watched) -> None:
        with self._guard:
            self._open.discard(stream)

    def _watched(self, stream: httpcore.NetworkStream) -> _Watched:
        watched = _Watched(stream, self)
        with self._guard:
            if not self._cut:
                self._open.add(watched)
                return watched
        stream.close()
        raise httpcore.ConnectError(STOPPED)

    def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(NO_ADDRESS) from error
        # A link-local address carries its interface after a percent sign.
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        if not self._private and not all(is_public(each) for each in addresses):
            msg = (
                f"The download leads to {host}, an address in a private network, and was refused; "
                "LEAP_DOWNLOAD_PRIVATE_ADDRESSES allows it."
            )
            raise PrivateAddress(msg)
        return list(dict.fromkeys(addresses))


class _Watched(httpcore.NetworkStream):
    """A connection whose socket can be shut down from another thread."""

    def __init__(self, stream: httpcore.NetworkStream, network: CheckedNetwork) -> None:
        self._stream = stream
        self._network = network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max(max_bytes, READ_BYTES), timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._network.forget(self)
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        self._stream = self._stream.start_tls(ssl_context, server_hostname, timeout)
        return self

    def get_extra_info(self, info: str) -> typing.Any:
        return self._stream.get_extra_info(info)

    def shut_down(self) -> None:
        found = self._stream.get_extra_info("socket")
        with contextlib.suppress(OSError):
            # Not SSLSocket's own method, which takes the TLS object from under its reader.
            socket.socket.shutdown(found, socket.SHUT_RDWR)


def is_public(address: Address) -> bool:
    """An address of the public internet; what carries an IPv4 address is judged by that too."""
    if not address.is_global or address.is_multicast:
        return False
    return all(is_public(inner) for inner in _carried(address))


def _carried(address: Address) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())[1:]]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
