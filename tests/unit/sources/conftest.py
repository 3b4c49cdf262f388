"""A file on a server of its own, and what it takes to download it in little pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from leap_pipeline.sources.http_file import Fetched, Tuning, download
from leap_pipeline.sources.http_file_requests import FileSource
from leap_pipeline.storage.partials import Partial, partial
from tests.support.file_server import FileServer, Tokens, content, file_server

SIZE = 512 * 1024
PIECE = 32 * 1024
TUNING = Tuning(
    private_addresses=True,
    connections=1,
    first_piece=PIECE,
    least_piece=PIECE,
    most_piece=PIECE,
    note_bytes=PIECE,
    connect_seconds=2.0,
    read_seconds=0.5,
    patience=3.0,
    measure_seconds=0.1,
    longest_backoff=0.02,
)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(content(SIZE, 1), seed=1) as found:
        yield found


@pytest.fixture
def unfinished(tmp_path: Path) -> Iterator[Partial]:
    """A slot in which a test's downloads go on."""
    with ExitStack() as stack:
        yield stack.enter_context(partial(tmp_path, "7-raw"))


Get = Callable[..., Fetched]


@pytest.fixture
def get(server: FileServer, unfinished: Partial) -> Get:
    """Downloads, and looks at what is there: one version, whole."""

    def run(source: FileSource | None = None, **tuned: object) -> Fetched:
        tuning = replace(TUNING, **tuned)  # type: ignore[arg-type]
        fetched = download(source or Tokens(server), unfinished, tuning=tuning)
        assert fetched.path.read_bytes() in server.versions
        assert fetched.size == fetched.path.stat().st_size
        return fetched

    return run
