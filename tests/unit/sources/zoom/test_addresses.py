"""What is asked for becomes a path that Zoom reads back as exactly that."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from leap_pipeline.errors import DataError
from leap_pipeline.sources.zoom.addresses import Who, Window, meeting_path

API = "https://api.zoom.us/v2"
UUIDS = st.text(alphabet="abcXYZ019+/=", min_size=1, max_size=24) | st.text(min_size=1, max_size=30)


def on_the_wire(path: str) -> str:
    return httpx.Request("GET", API + path).url.raw_path.decode()


@settings(deadline=None)
@given(UUIDS)
@example("/ab==")
@example("a//b==")
@example("a/b==")
@example("a%2Fb")
@example("../../users/me")
@example("..//")
def test_the_uuid_that_zoom_reads_is_the_one_that_was_asked_for(uuid: str) -> None:
    assume(not uuid.isdecimal() and uuid.strip("."))
    assume(uuid.encode("utf-8", "ignore").decode() == uuid)
    path = on_the_wire(meeting_path(uuid))
    head, encoded, tail = path.removeprefix("/v2").rsplit("/", 2)
    assert (head, tail) == ("/meetings", "recordings")
    twice = uuid.startswith("/") or "//" in uuid
    assert unquote(unquote(encoded)) == uuid if twice else unquote(encoded) == uuid
    if "%" not in uuid:
        assert ("%25" in encoded) == twice


@pytest.mark.parametrize("name", [".", "..", "...", ""])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="names nothing at Zoom"):
        meeting_path(name)
    with pytest.raises(DataError, match="names nothing at Zoom"):
        _ = Who.user(name).path


def test_a_number_is_no_meeting() -> None:
    with pytest.raises(DataError, match="names no instance"):
        meeting_path("85746065432")


def test_whose_recordings() -> None:
    assert on_the_wire(Who.user().path) == "/v2/users/me/recordings"
    assert on_the_wire(Who.user("ada@example.org").path) == "/v2/users/ada%40example.org/recordings"
    assert on_the_wire(Who.account().path) == "/v2/accounts/me/recordings"
    assert on_the_wire(Who.user("a/../b?c#d").path) == "/v2/users/a%2F..%2Fb%3Fc%23d/recordings"


@pytest.mark.parametrize(("days", "good"), [(-1, False), (0, True), (29, True), (30, False)])
def test_a_window_has_one_to_thirty_days(days: int, good: bool) -> None:
    first = date(2026, 1, 31)
    if good:
        assert Window(first, first + timedelta(days=days)).start == first
    else:
        with pytest.raises(DataError, match="cannot be listed: 1 to 30 days"):
            Window(first, first + timedelta(days=days))
