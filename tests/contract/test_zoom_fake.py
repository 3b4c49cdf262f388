"""The fake of Zoom refuses what Zoom refuses: listings, details, rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.zoom import faults
from tests.support.zoom.clock import Clock
from tests.support.zoom.desk import MINE, NOW, Zoom, refusal
from tests.support.zoom.fake import API, FakeZoom
from tests.support.zoom.world import (
    ADMIN_SCOPES,
    LIST_ACCOUNT,
    LIST_FILES,
    LIST_USER,
    USER_SCOPES,
    Meeting,
)


@pytest.fixture
def zoom() -> Zoom:
    return Zoom()


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"page_size": 301}, id="page_size over 300"),
        pytest.param({"page_size": 0}, id="page_size 0"),
        pytest.param({"page_size": -1}, id="page_size negative"),
        pytest.param({"page_size": "many"}, id="page_size no number"),
        pytest.param({"page_size": "30.0"}, id="page_size a fraction"),
        pytest.param({"from_": "2026-01-01", "to": "2026-02-01"}, id="window of 32 days"),
        pytest.param({"from_": "2026-01-15"}, id="window open to today"),
        pytest.param({"from_": "2026-03-02", "to": "2026-03-01"}, id="start after end"),
        pytest.param({"from_": "2026-02-30", "to": "2026-03-02"}, id="no such day"),
        pytest.param({"from_": "02.03.2026"}, id="German date"),
        pytest.param({"from_": "2026-3-2"}, id="date without zeros"),
        pytest.param({"from_": "20260302"}, id="date without dashes"),
        pytest.param({"to": "2026-03-02T00:00:00Z"}, id="date with a time"),
        pytest.param({"from_": ""}, id="empty date"),
        pytest.param({"trash": "yes"}, id="trash no truth value"),
        pytest.param({"mc": "1"}, id="mc no truth value"),
        pytest.param({"trash_type": "bin"}, id="unknown trash_type"),
        pytest.param({"trash": "true", "from_": "2026-03-01"}, id="trash by date"),
        pytest.param({"meeting_id": "Graphs"}, id="meeting_id no number"),
        pytest.param({"next_page_token": "made-up"}, id="page token made up"),
        pytest.param({"pageSize": 30}, id="misspelt name"),
    ],
)
def test_a_wrong_listing_is_refused(zoom: Zoom, params: dict[str, Any]) -> None:
    assert refusal(zoom.get(MINE, **params)) == (400, 300)
    (entry,) = zoom.fake.ledger.entries
    assert (entry.route, entry.status, entry.code) == ("user", 400, 300)


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"include_fields": "download_access_token", "ttl": -1}, id="ttl negative"),
        pytest.param(
            {"include_fields": "download_access_token", "ttl": 604_801}, id="ttl too long"
        ),
        pytest.param({"include_fields": "download_access_token", "ttl": "1h"}, id="ttl no number"),
        pytest.param({"include_fields": "everything"}, id="unknown field"),
        pytest.param({"page_size": 30}, id="parameter of the listing"),
    ],
)
def test_wrong_details_are_refused(zoom: Zoom, params: dict[str, Any]) -> None:
    assert refusal(zoom.details(zoom.lecture.uuid, **params)) == (400, 300)


@pytest.mark.parametrize("ttl", [0, 1, 604_800])
def test_the_ends_of_ttl_are_taken(zoom: Zoom, ttl: int) -> None:
    answer = zoom.details(zoom.lecture.uuid, include_fields="download_access_token", ttl=ttl)
    assert answer.status_code == 200
    assert answer.json()["download_access_token"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({}, id="none"),
        pytest.param({"Authorization": "Bearer made-up"}, id="made up"),
        pytest.param({"Authorization": "Basic Zm9vOmJhcg=="}, id="wrong scheme"),
        pytest.param({"Authorization": "Bearer"}, id="empty"),
    ],
)
@pytest.mark.parametrize("path", ["users/me", "accounts/me", "meetings/1"])
def test_no_good_token_is_401_with_124(zoom: Zoom, path: str, header: dict[str, str]) -> None:
    answer = zoom.http.get(f"{API}/{path}/recordings", headers=header)
    assert refusal(answer) == (401, 124)


def test_an_access_token_lives_an_hour(zoom: Zoom) -> None:
    zoom.clock.advance(timedelta(minutes=59))
    assert zoom.get(MINE).status_code == 200
    zoom.clock.advance(timedelta(minutes=1))
    assert refusal(zoom.get(MINE)) == (401, 124)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [("plain", 1, 2), ("inside", 1, 2), ("slash", 2, 1), ("double", 2, 1)],
)
def test_a_uuid_needs_its_own_number_of_encodings(
    zoom: Zoom, kind: str, right: int, wrong: int
) -> None:
    uuid = zoom.fake.uuid(kind)
    while kind == "plain" and not {"+", "="} & set(uuid):
        uuid = zoom.fake.uuid(kind)
    zoom.fake.add_recording(zoom.owner, uuid=uuid)
    assert zoom.details(uuid, right).json()["uuid"] == uuid
    assert refusal(zoom.details(uuid, wrong)) == (404, 3301)


def test_a_slash_that_is_not_encoded_is_no_endpoint(zoom: Zoom) -> None:
    zoom.fake.add_recording(zoom.owner, uuid="abc/def==")
    assert refusal(zoom.get(f"{API}/meetings/abc/def==/recordings")) == (404, 2300)


def test_a_number_means_the_latest_instance(zoom: Zoom) -> None:
    made = [
        zoom.fake.add_recording(zoom.owner, number=81234567890, start=NOW - timedelta(days=days))
        for days in (7, 0, 14)
    ]
    assert zoom.details("81234567890").json()["uuid"] == made[1].uuid
    zoom.fake.delete(made[1])
    assert zoom.details("81234567890").json()["uuid"] == made[0].uuid


def test_unknown_users_accounts_and_recordings(zoom: Zoom) -> None:
    other = zoom.fake.add_account()
    stranger = zoom.fake.owner(other)
    theirs = zoom.fake.add_recording(stranger, uuid=zoom.fake.uuid("plain"))
    assert refusal(zoom.get(f"{API}/users/nobody@example.org/recordings")) == (404, 1001)
    assert refusal(zoom.get(f"{API}/users/{stranger.id}/recordings")) == (404, 1001)
    assert refusal(zoom.get(f"{API}/accounts/{other.id}/recordings")) == (404, 2001)
    assert refusal(zoom.details(theirs.uuid)) == (400, 1010)
    assert refusal(zoom.details("never-made==")) == (404, 3301)
    assert refusal(zoom.get(f"{API}/users/me/meetings")) == (404, 2300)
    zoom.owner.gone = True
    assert refusal(zoom.get(f"{API}/users/{zoom.owner.email}/recordings")) == (404, 1001)


def test_a_missing_permission_is_200_with_code_200(zoom: Zoom) -> None:
    zoom.lecture.refused = True
    assert refusal(zoom.details(zoom.lecture.uuid)) == (200, 200)


@pytest.mark.parametrize(
    ("scopes", "answers"),
    [
        pytest.param(ADMIN_SCOPES, (200, 200, 200), id="admin"),
        pytest.param(USER_SCOPES, (400, 400, 400), id="a user's own"),
        pytest.param({f"{LIST_USER}:admin"}, (200, 400, 400), id="listing alone"),
        pytest.param({f"{LIST_ACCOUNT}:admin"}, (400, 200, 400), id="account alone"),
        pytest.param({f"{LIST_FILES}:admin"}, (400, 400, 200), id="details alone"),
    ],
)
def test_a_missing_scope_is_named(
    zoom: Zoom, scopes: frozenset[str], answers: tuple[int, int, int]
) -> None:
    zoom.account.app.scopes = frozenset(scopes)
    token = str(zoom.fake.grant(zoom.account.app)["access_token"])
    uuid = quote(zoom.lecture.uuid, safe="")
    paths = ("users/me", "accounts/me", f"meetings/{uuid}")
    found = [zoom.get(f"{API}/{path}/recordings", token) for path in paths]
    assert tuple(answer.status_code for answer in found) == answers
    refused = [answer.json() for answer in found if answer.status_code == 400]
    assert all(
        body["code"] == 4711 and "cloud_recording:read" in body["message"] for body in refused
    )


def test_a_users_own_token_reads_only_theirs(zoom: Zoom) -> None:
    app = zoom.fake.add_app()
    mate = zoom.fake.add_user(zoom.account)
    mine = zoom.fake.add_recording(mate, topic="Mine", uuid=zoom.fake.uuid("plain"))
    token = str(zoom.fake.grant(app, mate)["access_token"])
    assert [one["uuid"] for one in zoom.get(MINE, token).json()["meetings"]] == [mine.uuid]
    assert zoom.get(f"{API}/users/{zoom.owner.id}/recordings", token).status_code == 400
    theirs = quote(zoom.lecture.uuid, safe="")
    assert refusal(zoom.get(f"{API}/meetings/{theirs}/recordings", token)) == (200, 200)


def lectures(zoom: Zoom, count: int) -> list[Meeting]:
    """The lecture and `count` - 1 more of the last days, newest first."""
    more = [
        zoom.fake.add_recording(zoom.owner, start=NOW - timedelta(hours=5 * number))
        for number in range(1, count)
    ]
    return [zoom.lecture, *more]


def pages(zoom: Zoom, url: str, **params: Any) -> list[str]:
    token, found = "", []
    while True:
        body = zoom.get(url, next_page_token=token, **params).json()
        found += [meeting["uuid"] for meeting in body["meetings"]]
        token = body["next_page_token"]
        if not token:
            return found


@pytest.mark.parametrize("page_size", [1, 2, 5, 6, 300])
@pytest.mark.parametrize("path", ["users/me", "accounts/me"])
def test_the_pages_hold_every_meeting_once(zoom: Zoom, path: str, page_size: int) -> None:
    made = [meeting.uuid for meeting in lectures(zoom, 6)]
    asked: dict[str, Any] = {"from_": "2026-02-28", "to": "2026-03-02"}
    assert pages(zoom, f"{API}/{path}/recordings", page_size=page_size, **asked) == made


def test_today_is_the_default(zoom: Zoom) -> None:
    lectures(zoom, 6)
    body = zoom.get(MINE).json()
    assert (body["from"], body["to"], body["total_records"]) == ("2026-03-02", "2026-03-02", 2)


def test_both_ends_of_a_window_count_in_utc(zoom: Zoom) -> None:
    for start in (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 3, 23, 59, 59, tzinfo=UTC)):
        zoom.fake.add_recording(zoom.owner, start=start)
        zoom.fake.add_recording(zoom.owner, start=start.replace(day=31, month=1))
    body = zoom.get(MINE, from_="2026-02-01", to="2026-02-03").json()
    assert body["total_records"] == 2


def test_a_page_token_dies_after_fifteen_minutes(zoom: Zoom) -> None:
    lectures(zoom, 6)
    asked: dict[str, Any] = {"from_": "2026-02-28", "page_size": 2}
    first = zoom.get(MINE, **asked).json()["next_page_token"]
    zoom.clock.advance(timedelta(minutes=15))
    second = zoom.get(MINE, next_page_token=first, **asked)
    assert second.status_code == 200
    zoom.clock.advance(timedelta(minutes=15, seconds=1))
    third = zoom.get(MINE, next_page_token=second.json()["next_page_token"], **asked)
    assert refusal(third) == (400, 300)


def test_a_page_token_is_of_one_listing(zoom: Zoom) -> None:
    lectures(zoom, 6)
    asked: dict[str, Any] = {"from_": "2026-02-28", "page_size": 2}
    token = zoom.get(MINE, **asked).json()["next_page_token"]
    other: dict[str, Any] = {"from_": "2026-02-27", "page_size": 2}
    assert refusal(zoom.get(MINE, next_page_token=token, **other)) == (400, 300)
    wide = zoom.get(f"{API}/accounts/me/recordings", next_page_token=token, **asked)
    assert refusal(wide) == (400, 300)


def test_what_is_processing_becomes_ready_and_what_is_deleted_goes(zoom: Zoom) -> None:
    fake = zoom.fake
    late = fake.add_meeting(
        zoom.owner, uuid=fake.uuid("plain"), details_at=NOW + timedelta(hours=1)
    )
    fake.add_file(late, ready_at=NOW + timedelta(hours=2))
    listed = {one["uuid"]: one for one in zoom.get(MINE).json()["meetings"]}
    (file,) = listed[late.uuid]["recording_files"]
    assert file["status"] == "processing"
    assert "download_url" not in file
    assert refusal(zoom.details(late.uuid)) == (404, 3301)
    zoom.clock.advance(timedelta(hours=2))
    zoom.token = str(fake.grant(zoom.account.app)["access_token"])
    assert zoom.details(late.uuid).json()["recording_files"][0]["status"] == "completed"
    fake.rename(late, "Renamed")
    assert zoom.details(late.uuid).json()["topic"] == "Renamed"
    fake.delete(late, until=fake.now() + timedelta(minutes=5))
    assert refusal(zoom.details(late.uuid)) == (404, 3301)
    trash = zoom.get(MINE, trash="true").json()["meetings"]
    assert [one["uuid"] for one in trash] == [late.uuid]
    zoom.clock.advance(timedelta(minutes=5))
    assert zoom.details(late.uuid).status_code == 200


def test_zooms_clock_may_differ_from_ours() -> None:
    fake = FakeZoom(Clock(datetime(2026, 3, 1, 23, 58, tzinfo=UTC)), skew=timedelta(minutes=5))
    account = fake.add_account()
    token = fake.grant(account.app)["access_token"]
    answer = fake.client().get(MINE, headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["from"] == "2026-03-02"


def test_the_plan_limits_a_second_and_says_when_it_ends(zoom: Zoom) -> None:
    zoom.fake.rates.enforced = True
    found = [zoom.get(MINE) for _ in range(21)]
    assert [one.status_code for one in found] == [200] * 20 + [429]
    assert found[0].headers["X-RateLimit-Category"] == "Medium"
    assert int(found[-1].headers["X-RateLimit-Reset"]) == NOW.timestamp() + 1
    assert zoom.details(zoom.lecture.uuid).status_code == 200, "another category"
    zoom.clock.advance(timedelta(seconds=1))
    assert zoom.get(MINE).status_code == 200
    assert zoom.fake.ledger.peak(zoom.account.id, "medium") == 20


def test_a_days_limit_says_when_it_ends_as_an_iso_date(zoom: Zoom) -> None:
    zoom.account.daily_limit = 2
    found = [zoom.get(MINE) for _ in range(3)]
    assert [one.status_code for one in found] == [200, 200, 429]
    assert found[-1].headers["Retry-After"] == "2026-03-03T00:00:00Z"
    assert found[-1].headers["X-RateLimit-Type"] == "Daily-limit"


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [
        ("seconds", "Retry-After", "30"),
        ("http", "Retry-After", "Mon, 02 Mar 2026 09:00:30 GMT"),
        ("iso", "Retry-After", "2026-03-02T09:00:30Z"),
        ("reset", "X-RateLimit-Reset", "1772442030"),
    ],
)
def test_a_storm_in_each_form(zoom: Zoom, form: faults.Form, name: str, value: str) -> None:
    zoom.fake.fail(faults.storm("user", form=form, wait=30, times=2, after=1))
    found = [zoom.get(MINE) for _ in range(4)]
    assert [one.status_code for one in found] == [200, 429, 429, 200]
    assert found[1].headers[name] == value
