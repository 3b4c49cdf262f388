"""The fake of Zoom's file server, its faults, its events, and all of it over sockets."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.zoom import faults, webhooks
from tests.support.zoom.content import Content
from tests.support.zoom.desk import MINE, NOW, SIZE, Zoom
from tests.support.zoom.fake import CDN, FILES, FakeZoom
from tests.support.zoom.serve import process, serving


@pytest.fixture
def zoom() -> Zoom:
    return Zoom()


def test_a_file_is_whole_and_its_version_has_a_name(zoom: Zoom) -> None:
    found = zoom.download()
    content = zoom.lecture.files[0].content(zoom.clock())
    assert found.status_code == 200
    assert hashlib.sha256(found.content).hexdigest() == content.sha256()
    assert found.headers["ETag"] == content.etag
    assert zoom.fake.ledger.bytes_sent() == SIZE


@pytest.mark.parametrize(
    ("header", "status", "start", "stop"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=5-", 206, 5, SIZE),
        (f"bytes=5-{SIZE * 2}", 206, 5, SIZE),
        ("bytes=-7", 206, SIZE - 7, SIZE),
        (f"bytes={SIZE - 1}-", 206, SIZE - 1, SIZE),
        (f"bytes={SIZE}-", 416, 0, 0),
        ("bytes=9-5", 416, 0, 0),
        ("lines=1-2", 200, 0, SIZE),
        ("bytes=0-1,3-4", 200, 0, SIZE),
    ],
)
def test_ranges(zoom: Zoom, header: str, status: int, start: int, stop: int) -> None:
    found = zoom.download(Range=header)
    assert found.status_code == status
    assert found.content == zoom.lecture.files[0].content(NOW).read(start, stop)
    if status == 206:
        assert found.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{SIZE}"


def test_a_changed_file_is_sent_anew(zoom: Zoom) -> None:
    before = zoom.download().headers["ETag"]
    assert zoom.download(Range="bytes=5-", **{"If-Range": before}).status_code == 206
    zoom.fake.change(zoom.lecture.files[0], Content(SIZE, seed=99))
    after = zoom.download(Range="bytes=5-", **{"If-Range": before})
    assert (after.status_code, len(after.content)) == (200, SIZE)
    assert after.headers["ETag"] != before


def test_who_may_download(zoom: Zoom) -> None:
    given = zoom.details(zoom.lecture.uuid, include_fields="download_access_token", ttl=60).json()
    url = given["recording_files"][0]["download_url"]
    assert url.startswith(FILES)
    page = zoom.http.get(url)
    assert (page.status_code, page.headers["Content-Type"][:9]) == (200, "text/html")
    for token in (given["download_access_token"], zoom.token):
        moved = zoom.get(url, token)
        assert moved.status_code == 302
        assert moved.headers["Location"].startswith(CDN)
    followed = zoom.get(moved.headers["Location"])
    assert followed.status_code == 400, "the header must not follow to another origin"
    zoom.clock.advance(timedelta(seconds=60))
    assert zoom.get(url, given["download_access_token"]).status_code == 401
    zoom.clock.advance(zoom.fake.cdn.lifetime)
    assert zoom.http.get(moved.headers["Location"]).status_code == 403


def test_another_meetings_download_token_is_no_good(zoom: Zoom) -> None:
    other = zoom.fake.add_recording(zoom.owner, uuid=zoom.fake.uuid("plain"))
    given = zoom.details(other.uuid, include_fields="download_access_token").json()
    url = zoom.details(zoom.lecture.uuid).json()["recording_files"][0]["download_url"]
    assert zoom.get(url, given["download_access_token"]).status_code == 401


def test_a_cut_body_is_an_error_and_the_ledger_has_its_bytes(zoom: Zoom) -> None:
    zoom.fake.fail(faults.cut(at=1000))
    with pytest.raises(httpx.RemoteProtocolError, match="received 1000 bytes"):
        zoom.download()
    (body,) = zoom.fake.ledger.bodies
    assert (body.sent, body.whole) == (1000, False)
    assert len(zoom.download().content) == SIZE


def test_a_slow_body_costs_time(zoom: Zoom) -> None:
    zoom.fake.fail(faults.slow(rate=SIZE / 100))
    zoom.download()
    assert zoom.clock() - NOW == pytest.approx(timedelta(seconds=100), abs=timedelta(seconds=1))


@pytest.mark.parametrize(
    ("fault", "error"),
    [(faults.unreachable, httpx.ConnectError), (faults.lost, httpx.ReadError)],
)
def test_a_connection_that_fails(
    zoom: Zoom, fault: Callable[..., faults.Fault], error: type[Exception]
) -> None:
    zoom.fake.fail(fault("user"))
    with pytest.raises(error):
        zoom.get(MINE)
    assert zoom.get(MINE).status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error(zoom: Zoom, status: int) -> None:
    zoom.fake.fail(faults.server_error(status=status))
    assert [zoom.get(MINE).status_code for _ in range(2)] == [status, 200]
    assert zoom.fake.ledger.refused() == []


def test_an_event_is_signed_over_its_raw_body(zoom: Zoom) -> None:
    event = webhooks.completed(zoom.fake, zoom.lecture)
    sent = webhooks.delivery("secret", event, NOW)
    stamp = sent.headers["x-zm-request-timestamp"]
    assert stamp == str(int(NOW.timestamp()))
    assert sent.headers["x-zm-signature"] == webhooks.sign("secret", stamp, sent.body)
    assert sent.headers["x-zm-signature"] != webhooks.sign("other", stamp, sent.body)
    assert sent.json()["payload"]["object"]["uuid"] == zoom.lecture.uuid
    url = event["payload"]["object"]["recording_files"][0]["download_url"]
    assert zoom.get(url, event["download_token"]).status_code == 302


@pytest.mark.parametrize("how", ["threads", "process"])
def test_the_same_over_sockets(how: str, tmp_path: Any) -> None:
    fake = FakeZoom(lambda: datetime.now(UTC), seed=7)
    account = fake.add_account()
    uuid = fake.uuid("slash")
    fake.add_recording(fake.owner(account), uuid=uuid, size=SIZE)
    with serving(fake) if how == "threads" else process(fake, tmp_path) as served:
        app = account.app
        basic = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
        with httpx.Client(follow_redirects=True) as http:
            token = http.post(
                f"{served.oauth}/token",
                data={"grant_type": "account_credentials", "account_id": account.id},
                headers={"Authorization": f"Basic {basic}"},
            ).json()["access_token"]
            bearer = {"Authorization": f"Bearer {token}"}
            twice = quote(quote(uuid, safe=""), safe="")
            found = http.get(f"{served.api}/meetings/{twice}/recordings", headers=bearer).json()
            file = http.get(found["recording_files"][0]["download_url"], headers=bearer)
        assert len(file.content) == SIZE
        routes = [entry["route"] for entry in served.ledger()["entries"]]
        assert routes == ["token", "details", "download", "cdn"]
