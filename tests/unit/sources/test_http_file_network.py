"""Where downloads may lead: redirects, origins, addresses."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpcore
import httpx
import pytest
from pydantic import SecretStr

from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.sources.http_file import download
from leap_pipeline.sources.http_file_network import CheckedNetwork, PrivateAddress, is_public
from leap_pipeline.sources.http_file_requests import Link, Requests, Route, _followed
from leap_pipeline.storage.partials import Partial
from tests.support.file_server import Fault, FileServer, Tokens, content, file_server
from tests.unit.sources.conftest import SIZE, TUNING, Get

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]


@pytest.fixture
def front() -> Iterator[FileServer]:
    """A server that sends everybody on to another."""
    with file_server(content(10, 2)) as found:
        yield found


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_told(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::808:808"])
def test_a_public_address_is_told(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_a_link_into_the_machine_is_refused(unfinished: Partial, host: str) -> None:
    with file_server(content(10, 1)) as server:
        source = Tokens(server)
        server_url = f"http://{host}:{server.server_address[1]}/file"
        moved = _At(source, server_url)
        with pytest.raises(PrivateAddress, match="LEAP_DOWNLOAD_PRIVATE_ADDRESSES"):
            download(moved, unfinished, tuning=replace(TUNING, private_addresses=False))
        assert server.asked == []


def test_every_hop_is_looked_at(
    server: FileServer, front: FileServer, unfinished: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host is taken for a public one, and sends on to one that is not."""
    front.redirect = server.url.replace("127.0.0.1", "localhost")
    public = ipaddress.ip_address("127.0.0.1")
    monkeypatch.setattr(
        "leap_pipeline.sources.http_file_network.is_public", lambda each: each == public
    )
    monkeypatch.setattr(socket, "getaddrinfo", _resolver({"localhost": ["127.0.0.2"]}))
    with pytest.raises(PrivateAddress, match="localhost"):
        download(Tokens(front), unfinished, tuning=replace(TUNING, private_addresses=False))
    assert len(front.asked) == 1
    assert server.asked == []


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"two.example": ["93.184.215.14", "127.0.0.1"]}
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(answers))
    with pytest.raises(PrivateAddress):
        CheckedNetwork().connect_tcp("two.example", 80, timeout=0.1)


def test_a_name_with_many_silent_addresses_is_given_up_when_it_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, tried = CheckedNetwork(), []

    class Silent(httpcore.SyncBackend):
        def connect_tcp(self, host: str, *_: Any, **__: Any) -> httpcore.NetworkStream:
            tried.append(host)
            if len(tried) == 2:
                network.cut()
            raise httpcore.ConnectTimeout

    answers = {"many.example": [f"93.184.215.{number}" for number in range(1, 101)]}
    monkeypatch.setattr(socket, "getaddrinfo", _resolver(answers))
    monkeypatch.setattr(network, "_backend", Silent())
    with pytest.raises(httpcore.ConnectError, match="stopped"):
        network.connect_tcp("many.example", 443, timeout=0.1)
    assert len(tried) == 2


def test_the_connection_goes_to_the_address_that_was_looked_at(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that answers differently the second time gains nothing."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def once(host: str, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        if host == "rebinding.example":
            host = "127.0.0.1" if asked.count(host) == 1 else "127.9.9.9"
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", once)
    port = int(server.server_address[1])
    network = CheckedNetwork(private_addresses=True)
    stream = network.connect_tcp("rebinding.example", port, timeout=1)
    assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    assert asked.count("rebinding.example") == 1
    stream.close()


def test_the_token_stays_with_its_own_origin(
    server: FileServer, front: FileServer, get: Get
) -> None:
    front.redirect = server.url
    source = Tokens(front)
    assert get(source).fetched == SIZE
    assert all("authorization" in each.headers for each in front.asked)
    assert not any("authorization" in each.headers for each in server.asked)
    assert len(front.asked) == 1  # the place it led to is asked directly from then on


def test_the_place_that_a_link_led_to_is_asked_for_again_when_it_breaks(
    server: FileServer, front: FileServer, get: Get
) -> None:
    front.redirect = server.url
    server.plan = lambda asked: Fault(cut_after=99) if len(server.asked) == 4 else None
    get(Tokens(front))
    assert len(front.asked) == 2


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/file", "file:///etc/passwd", "//", "http://", ""]
)
def test_a_redirect_to_what_is_no_web_address_is_refused(
    front: FileServer, unfinished: Partial, location: str
) -> None:
    front.redirect = location
    with pytest.raises(UserActionError, match=r"no web address|too often"):
        download(Tokens(front), unfinished, tuning=TUNING)


def test_a_circle_of_redirects_ends(front: FileServer, unfinished: Partial) -> None:
    front.redirect = front.url
    with pytest.raises(UserActionError, match="redirected too often"):
        download(Tokens(front), unfinished, tuning=TUNING)


def test_a_secure_link_is_not_followed_into_the_open() -> None:
    here = httpx.URL("https://zoom.example/a")
    assert str(_followed(here, "/b#c", secure=True)) == "https://zoom.example/b"
    with pytest.raises(UserActionError, match="without encryption"):
        _followed(here, "http://zoom.example/b", secure=True)


def test_proxies_of_the_environment_are_not_used(
    get: Get, front: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, front.url)
    assert get().fetched == SIZE
    assert front.asked == []


def test_a_name_without_an_address_is_tried_again_and_given_up(unfinished: Partial) -> None:
    with file_server(content(10, 1)) as server:
        moved = _At(Tokens(server), "http://nowhere.invalid/file")
        with pytest.raises(TransientError, match="could not be reached"):
            download(moved, unfinished, tuning=replace(TUNING, patience=0.3))


def test_a_certificate_that_nobody_vouches_for_is_refused(unfinished: Partial) -> None:
    """The listener speaks no TLS at all; nothing of the request may reach it in the open."""
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        with file_server(content(10, 1)) as server:
            moved = _At(Tokens(server), f"https://127.0.0.1:{listener.getsockname()[1]}/file")
            with pytest.raises(TransientError, match="could not be reached"):
                download(moved, unfinished, tuning=replace(TUNING, patience=0.3))
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
    assert heard
    assert not any(b"token" in each for each in heard)


def test_cutting_wakes_whoever_reads(server: FileServer) -> None:
    server.plan = lambda asked: Fault(cut_after=10, stall=30)
    network = CheckedNetwork(private_addresses=True)
    requests = Requests(network, 2, 1.0, 30.0)
    threading.Timer(0.1, network.cut).start()
    with (
        pytest.raises(Exception, match="cut"),
        requests.get(Route(Tokens(server).fresh()), {}) as answer,
    ):
        list(answer.chunks())
    with pytest.raises(httpcore.ConnectError):
        network.connect_tcp("127.0.0.1", int(server.server_address[1]))
    requests.close()


def test_tls_is_verified_by_default() -> None:
    requests = Requests(CheckedNetwork(), 1, 1.0, 1.0)
    context = requests._pool._ssl_context
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    requests.close()


class _At:
    """The same links at another place."""

    def __init__(self, source: Tokens, url: str) -> None:
        self._source, self._url = source, url

    def fresh(self) -> Link:
        return replace(self._source.fresh(), url=SecretStr(self._url))


def _resolver(answers: dict[str, list[str]]) -> Any:
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any, **named: Any) -> Any:
        if host not in answers:
            return real(host, port, *rest, **named)
        kind = socket.AF_INET
        return [(kind, socket.SOCK_STREAM, 6, "", (each, port)) for each in answers[host]]

    return resolve
