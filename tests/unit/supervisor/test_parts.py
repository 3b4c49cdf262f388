"""When a part counts as well."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from leap_pipeline.errors import UserActionError
from leap_pipeline.supervisor.parts import Part, require_free_ports


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path[1:]))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "well"), [(200, True), (404, True), (500, False), (503, False)])
def test_a_server_is_well_unless_it_says_that_it_is_not(
    address: str, status: int, *, well: bool
) -> None:
    assert Part("web", [], url=f"{address}/{status}").answers() is well
    assert Part("web", [], url="http://127.0.0.1:1", health=f"{address}/{status}").answers() is well


def test_nobody_there_is_not_well() -> None:
    assert not Part("web", [], url="http://127.0.0.1:1/").answers()


def test_a_part_without_address_is_well() -> None:
    assert Part("daemon", []).answers()


def test_a_server_of_another_kind_is_well_when_it_takes_connections() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        part = Part("code", [], health=f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert not part.answers()
        server.listen()
        assert part.answers()
        with pytest.raises(UserActionError, match=r"code cannot listen on 127\.0\.0\.1"):
            require_free_ports([part])
