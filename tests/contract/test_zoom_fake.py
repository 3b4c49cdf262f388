"""The fake of Zoom refuses what Zoom refuses, and keeps count of it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.zoom import faults, webhooks
from tests.support.zoom.clock import Clock
from tests.support.zoom.content import BLOCK, Content
from tests.support.zoom.fake import API, CDN, FILES, OAUTH, FakeZoom
from tests.support.zoom.scenario import REDIRECT
from tests.support.zoom.serve import process, serving
from tests.support.zoom.tokens import s256
from tests.support.zoom.world import (
    ADMIN_SCOPES,
    LIST_ACCOUNT,
    LIST_FILES,
    LIST_USER,
    USER_SCOPES,
    Meeting,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SIZE = 3 * BLOCK + 17
MINE = f"{API}/users/me/recordings"


class Zoom:
    """One account, its owner, a lecture of this morning, and a client with a good token."""

    def __init__(self) -> None:
        self.clock = Clock(NOW)
        self.fake = FakeZoom(self.clock)
        self.account = self.fake.add_account()
        self.owner = self.fake.owner(self.account)
        self.lecture = self.fake.add_recording(
            self.owner, topic="Graphs", uuid=self.fake.uuid("plain"), size=SIZE
        )
        self.http = self.fake.client()
        self.token = str(self.fake.grant(self.account.app)["access_token"])

    def get(self, url: str, token: str | None = None, **params: Any) -> httpx.Response:
        query = {name.removesuffix("_"): str(value) for name, value in params.items()}
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http.get(url, params=query, headers=headers)

    def details(self, name: str, encodings: int = 1, **params: Any) -> httpx.Response:
        for _ in range(encodings):
            name = quote(name, safe="")
        return self.get(f"{API}/meetings/{name}/recordings", **params)

    def download(self, **headers: str) -> httpx.Response:
        """The lecture's file, by way of the redirect."""
        given = self.details(self.lecture.uuid, include_fields="download_access_token").json()
        url = given["recording_files"][0]["download_url"]
        bearer = {"Authorization": f"Bearer {given['download_access_token']}"}
        moved = self.http.get(url, headers=bearer)
        assert moved.status_code == 302
        return self.http.get(moved.headers["Location"], headers=headers)


@pytest.fixture
def zoom() -> Zoom:
    return Zoom()


def refusal(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["code"]


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
    assert [entry.status for entry in zoom.fake.ledger.refused()] == [400]


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


# The token endpoint


def ask(zoom: Zoom, form: Mapping[str, str], **client: str) -> httpx.Response:
    app = zoom.account.app
    auth = (client.get("client_id", app.client_id), client.get("secret", app.client_secret))
    return zoom.http.post(f"{OAUTH}/token", data=form, auth=auth)


def test_a_server_to_server_token_works(zoom: Zoom) -> None:
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    body = ask(zoom, form).json()
    assert "refresh_token" not in body
    assert 0 < body["expires_in"] <= 3600
    assert zoom.get(MINE, body["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "client", "expected"),
    [
        pytest.param({}, {"client_id": "nobody"}, (401, 4702), id="unknown client"),
        pytest.param({}, {"secret": "wrong"}, (401, 4704), id="wrong secret"),
        pytest.param({"grant_type": "password"}, {}, (400, 4705), id="unknown grant"),
        pytest.param({"grant_type": ""}, {}, (400, 4705), id="no grant"),
        pytest.param({"account_id": "another"}, {}, (400, 4702), id="another account"),
        pytest.param({"account_id": ""}, {}, (400, 4702), id="no account"),
    ],
)
def test_a_wrong_token_request_is_refused(
    zoom: Zoom, form: dict[str, str], client: dict[str, str], expected: tuple[int, int]
) -> None:
    good = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert refusal(ask(zoom, good | form, **client)) == expected


def test_the_token_endpoint_takes_only_a_posted_form(zoom: Zoom) -> None:
    app = zoom.account.app
    auth = (app.client_id, app.client_secret)
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert zoom.http.get(f"{OAUTH}/token", params=form, auth=auth).status_code == 405
    assert zoom.http.post(f"{OAUTH}/token", json=form, auth=auth).status_code == 415
    assert refusal(zoom.http.post(f"{OAUTH}/token", data=form)) == (401, 4702)


def test_a_disabled_app_gets_nothing(zoom: Zoom) -> None:
    zoom.account.app.disabled = True
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert refusal(ask(zoom, form)) == (400, 4738)


class Person:
    """A user who connects an account through an app, with PKCE."""

    verifier = "v" * 64

    def __init__(self, zoom: Zoom) -> None:
        self.zoom = zoom
        self.app = zoom.fake.add_app()
        self.user = zoom.fake.add_user(zoom.account)

    def code(self) -> str:
        return self.zoom.fake.authorize(self.app, self.user, challenge=s256(self.verifier))

    def connect(self, code: str | None = None, **form: str) -> httpx.Response:
        given = {
            "grant_type": "authorization_code",
            "code": code or self.code(),
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
        }
        return self.post(given | form)

    def refresh(self, token: str) -> httpx.Response:
        return self.post({"grant_type": "refresh_token", "refresh_token": token})

    def post(self, form: Mapping[str, str]) -> httpx.Response:
        client = {"client_id": self.app.client_id, "secret": self.app.client_secret}
        return ask(self.zoom, form, **client)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({"redirect_uri": "https://evil.example.org"}, (400, 4709), id="redirect"),
        pytest.param({"code_verifier": "w" * 64}, (400, 4734), id="verifier"),
        pytest.param({"code_verifier": ""}, (400, 4734), id="no verifier"),
        pytest.param({"code": "made-up"}, (400, 4734), id="code"),
    ],
)
def test_a_wrong_code_is_refused(
    zoom: Zoom, form: dict[str, str], expected: tuple[int, int]
) -> None:
    assert refusal(Person(zoom).connect(**form)) == expected


def test_a_code_works_once_and_for_ten_minutes(zoom: Zoom) -> None:
    person = Person(zoom)
    code = person.code()
    assert person.connect(code).status_code == 200
    assert refusal(person.connect(code)) == (400, 4734)
    late = person.code()
    zoom.clock.advance(timedelta(minutes=10))
    assert refusal(person.connect(late)) == (400, 4733)


def test_refresh_tokens_rotate_and_reuse_ends_the_family(zoom: Zoom) -> None:
    person = Person(zoom)
    first = person.connect().json()
    second = person.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert zoom.get(MINE, second["access_token"]).status_code == 200
    assert refusal(person.refresh(first["refresh_token"])) == (400, 4741)
    assert refusal(person.refresh(second["refresh_token"])) == (400, 4741)
    assert refusal(zoom.get(MINE, second["access_token"])) == (401, 124)


def test_a_later_authorisation_supersedes_the_earlier(zoom: Zoom) -> None:
    person = Person(zoom)
    first = person.connect().json()
    again = person.connect().json()
    assert refusal(person.refresh(first["refresh_token"])) == (400, 4741)
    assert person.refresh(again["refresh_token"]).status_code == 200


def test_an_owner_who_is_gone_refreshes_nothing(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    person.user.gone = True
    assert refusal(person.refresh(token)) == (400, 4735)


def test_a_refresh_token_lives_ninety_days(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    zoom.clock.advance(timedelta(days=90))
    assert refusal(person.refresh(token)) == (400, 4734)


# Rates


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


# Files


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


# Faults


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


def test_a_lost_answer_to_a_refresh_was_a_refresh(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    zoom.fake.fail(faults.lost("token"))
    with pytest.raises(httpx.ReadError):
        person.refresh(token)
    assert refusal(person.refresh(token)) == (400, 4741)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error(zoom: Zoom, status: int) -> None:
    zoom.fake.fail(faults.server_error(status=status))
    assert [zoom.get(MINE).status_code for _ in range(2)] == [status, 200]
    assert zoom.fake.ledger.refused() == []


# Events and sockets


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
