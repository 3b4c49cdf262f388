"""Listing and details: what is sent, pages that die, tokens that end, and every refusal."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from leap_pipeline.errors import DataError, LeapError, TransientError, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.sources.zoom.client import Who, Window
from leap_pipeline.sources.zoom.errors import (
    PermissionMissing,
    RecordingMissing,
    ScopeMissing,
    UserMissing,
)
from leap_pipeline.web.errors import CredentialRefused
from tests.support.zoom_calls import Asking, asking, meeting, page, refused

WINDOW = Window(date(2026, 11, 1), date(2026, 11, 30))
DEAD = refused(400, 300, "The next page token is invalid or expired.")


def listed(asked: Asking, who: Who | None = None) -> list[str]:
    return [each.uuid for each in asked.client.recordings(WINDOW, who or Who.user())]


def test_a_listing_is_asked_for_page_by_page() -> None:
    asked = asking(page("a", "b", token="t1"), page("c", token="t2"), page("d"))
    assert listed(asked, Who.user("ada@example.org")) == ["a", "b", "c", "d"]
    window = {"from": "2026-11-01", "to": "2026-11-30", "page_size": "300"}
    assert asked.script.params == [
        window,
        {**window, "next_page_token": "t1"},
        {**window, "next_page_token": "t2"},
    ]
    first = asked.script.requests[0]
    assert (first.method, first.url.raw_path.split(b"?")[0]) == (
        "GET",
        b"/v2/users/ada%40example.org/recordings",
    )
    assert first.url.host == "api.zoom.test"
    assert asked.script.tokens == ["Bearer first"] * 3
    assert asked.gate.passed == ["medium"] * 3


def test_pages_are_read_only_as_they_are_asked_for() -> None:
    asked = asking(page("a", token="t1"))
    assert next(asked.client.recordings(WINDOW, Who.user())).uuid == "a"


def test_a_window_begins_again_when_its_page_token_has_died() -> None:
    asked = asking(page("a", token="t1"), DEAD, page("a", "new", token="t2"), page("b"))
    assert listed(asked) == ["a", "a", "new", "b"]
    assert "next_page_token" not in asked.script.params[2]


def test_a_page_token_that_comes_again_has_died_too() -> None:
    asked = asking(page("a", token="t1"), page("b", token="t1"), page("a", "b", "c"))
    assert listed(asked) == ["a", "b", "a", "b", "c"]


def test_a_window_does_not_begin_again_for_ever() -> None:
    asked = asking(*[page("a", token="t1"), DEAD] * 4)
    with pytest.raises(TransientError, match="ended 4 times before they were read"):
        listed(asked)


def test_a_first_page_that_is_refused_like_that_is_a_fault() -> None:
    with pytest.raises(DataError, match="code 300"):
        listed(asking(refused(400, 300, "Validation Failed.")))


def test_a_listing_with_nothing_in_it() -> None:
    assert listed(asking(page())) == []
    assert listed(asking(refused(404, 3301, "There is no recording for this session."))) == []


def test_a_listing_that_is_gone_half_way_is_not_whole() -> None:
    asked = asking(page("a", token="t1"), refused(404, 3301), page("a", "b"))
    assert listed(asked) == ["a", "a", "b"]


def test_meetings_that_cannot_be_read_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    body = {"meetings": ["what", meeting("a"), {"topic": "no uuid"}]}
    assert listed(asking(httpx.Response(200, json=body))) == ["a"]
    assert caplog.text.count("cannot be read") == 2


def test_an_answer_that_is_no_listing() -> None:
    with pytest.raises(TransientError, match="is no listing"):
        listed(asking(httpx.Response(200, json={"meetings": None})))


@pytest.mark.parametrize(
    ("uuid", "path"),
    [
        ("ab+c==", b"/v2/meetings/ab%2Bc%3D%3D/recordings"),
        ("a/b==", b"/v2/meetings/a%2Fb%3D%3D/recordings"),
        ("/ab==", b"/v2/meetings/%252Fab%253D%253D/recordings"),
        ("a//b==", b"/v2/meetings/a%252F%252Fb%253D%253D/recordings"),
    ],
)
def test_details_of_a_meeting(uuid: str, path: bytes) -> None:
    asked = asking(httpx.Response(200, json=meeting(uuid, topic="Lecture")))
    assert asked.client.meeting(uuid).topic == "Lecture"
    assert asked.script.requests[0].url.raw_path == path
    assert asked.gate.passed == ["light"]


def test_details_for_a_download_come_with_a_token_that_is_hidden() -> None:
    token = "canary-download-token-1"
    answer = httpx.Response(200, json=meeting("u1==", download_access_token=token))
    asked = asking(answer)
    found = asked.client.meeting("u1==", for_download=True)
    assert asked.script.params == [{"include_fields": "download_access_token", "ttl": "21600"}]
    assert found.download_access_token is not None
    assert found.download_access_token.get_secret_value() == token
    assert token not in redact(f"it was {token} indeed")


def test_another_meeting_than_was_asked_for_is_not_taken() -> None:
    with pytest.raises(DataError, match="asked for the meeting u1== and answered with u2=="):
        asking(httpx.Response(200, json=meeting("u2=="))).client.meeting("u1==")


def test_an_answer_about_a_meeting_that_cannot_be_read() -> None:
    with pytest.raises(TransientError, match="about the meeting u1== cannot be read"):
        asking(httpx.Response(200, json={"topic": "no start"})).client.meeting("u1==")


def test_a_token_that_has_ended_is_renewed_once() -> None:
    asked = asking(refused(401, 124, "Access token is expired."), page("a"))
    assert listed(asked) == ["a"]
    assert asked.script.tokens == ["Bearer first", "Bearer second"]
    assert asked.tokens.refused == ["first"]
    assert asked.gate.passed == ["medium"] * 2


def test_a_fresh_token_that_is_refused_as_well() -> None:
    asked = asking(refused(401, 124), refused(401, 124, "Invalid access token."))
    with pytest.raises(CredentialRefused, match=r"HTTP 401, code 124\): connect the account again"):
        listed(asked)
    assert asked.tokens.refused == ["first"]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (refused(404, 3301), RecordingMissing, "deleted, never made, or is not ready yet"),
        (httpx.Response(404, text="gone"), DataError, "LEAP_ZOOM_API_URL is right"),
        (refused(404, 1001), UserMissing, r"no such user .*code 1001\): correct `user_id`"),
        (refused(400, 1010), UserMissing, "no such user .*code 1010"),
        (refused(200, 200, "No permission."), PermissionMissing, "right to view"),
        (refused(403), PermissionMissing, "right to view"),
        (refused(404, 2300), DataError, "HTTP 404, code 2300.*LEAP_ZOOM_API_URL"),
        (refused(400, 4700), DataError, "report it as a fault of LEAP"),
        (refused(200, 3301), RecordingMissing, "not ready yet"),
        (httpx.Response(400, json=["odd"]), DataError, "HTTP 400"),
    ],
)
def test_refusals_of_a_meeting(answer: httpx.Response, kind: type[LeapError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        asking(answer).client.meeting("u1==")
    assert type(caught.value) is kind


@pytest.mark.parametrize("status", [400, 401])
def test_a_missing_scope_is_named_and_costs_no_renewal(status: int) -> None:
    words = "Invalid access token, does not contain scopes:[cloud_recording:read:a, x:y:z:admin]."
    asked = asking(refused(status, 4711, words))
    with pytest.raises(ScopeMissing, match="cloud_recording:read:a or x:y:z:admin") as caught:
        listed(asked)
    assert caught.value.scopes == ("cloud_recording:read:a", "x:y:z:admin")
    assert asked.tokens.refused == []


def test_a_missing_scope_that_zoom_does_not_name_is_the_one_of_the_request() -> None:
    with pytest.raises(ScopeMissing, match="list_account_recordings:admin"):
        listed(asking(refused(400, 4711)), Who.account())
    with pytest.raises(ScopeMissing, match=r"list_user_recordings\[:admin\]"):
        listed(asking(refused(400, 104)), Who.user())
    with pytest.raises(ScopeMissing, match="list_recording_files"):
        asking(refused(400, 4711)).client.meeting("u1==")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["https://evil.example/v2/users/me/recordings", "/v2/elsewhere"])
def test_a_redirect_is_not_followed(status: int, where: str) -> None:
    asked = asking(httpx.Response(status, headers={"location": where}))
    with pytest.raises(UserActionError, match="does not follow: correct LEAP_ZOOM_API_URL"):
        listed(asked)
    assert len(asked.script.requests) == 1


def test_nothing_that_zoom_wants_remembered_goes_out_again() -> None:
    """One connection pool serves all tenants."""
    first = httpx.Response(
        200, headers={"set-cookie": "session=ada; Path=/"}, json={"meetings": []}
    )
    asked = asking(first, page())
    listed(asked)
    listed(asked)
    assert all("cookie" not in request.headers for request in asked.script.requests)


def test_zooms_own_words_come_short_and_without_secrets() -> None:
    words = "Bad access_token=canary-9876543210 " + "x" * 500
    with pytest.raises(DataError) as caught:
        listed(asking(refused(400, 1234, words)))
    assert "canary" not in str(caught.value)
    assert len(str(caught.value)) < 450
