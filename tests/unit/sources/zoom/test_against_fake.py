"""The client against the fake Zoom, which refuses what Zoom refuses and notes what it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from leap_pipeline.errors import MustWaitError
from leap_pipeline.oauth.platform import App
from leap_pipeline.sources.zoom.client import Who, Window, ZoomClient
from leap_pipeline.sources.zoom.errors import (
    PermissionMissing,
    RecordingMissing,
    ScopeMissing,
    UserMissing,
)
from leap_pipeline.sources.zoom.oauth import TokenEndpoint
from leap_pipeline.sources.zoom.tokens import ServerToServerToken
from tests.support.zoom.clock import START, Clock
from tests.support.zoom.errors import no_permission
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.faults import Fault, Form, storm
from tests.support.zoom.world import Account, Meeting

MEETINGS = 640
WINDOW = Window(START.date() - timedelta(days=29), START.date())


@pytest.fixture
def zoom() -> FakeZoom:
    return FakeZoom(Clock(), seed=7)


@pytest.fixture
def account(zoom: FakeZoom) -> Account:
    return zoom.add_account()


def client_of(zoom: FakeZoom, account: Account) -> ZoomClient:
    http, clock = zoom.client(), zoom.clock
    endpoint = TokenEndpoint(http, clock=clock, sleep=zoom.sleep)
    app = App(account.app.client_id, SecretStr(account.app.client_secret))
    tokens = ServerToServerToken(endpoint, app, account.id, clock=clock)
    return ZoomClient(http, tokens, clock=clock, sleep=zoom.sleep)


def record(zoom: FakeZoom, account: Account, number: int) -> list[Meeting]:
    host = zoom.owner(account)
    made = []
    for each in range(number):
        uuid = f"/{each}//=" if each % 3 == 0 else f"{each}/+=" if each % 3 == 1 else None
        start = START - timedelta(hours=each)
        made.append(zoom.add_meeting(host, start=start, duration=30, uuid=uuid))
        zoom.add_file(made[-1])
    return made


def advance(zoom: FakeZoom, by: timedelta) -> None:
    assert isinstance(zoom.clock, Clock)
    zoom.clock.advance(by)


@pytest.mark.parametrize("who", [Who.user, Who.account])
def test_every_meeting_of_a_window_comes(
    zoom: FakeZoom, account: Account, who: Callable[[], Who]
) -> None:
    made = record(zoom, account, MEETINGS)
    found = [each.uuid for each in client_of(zoom, account).recordings(WINDOW, who())]
    assert sorted(found) == sorted(each.uuid for each in made)
    assert zoom.ledger.count("user", "account") == 3
    assert zoom.ledger.refused() == []


def test_a_reader_slower_than_the_page_token_misses_nothing(
    zoom: FakeZoom, account: Account
) -> None:
    made = record(zoom, account, MEETINGS)
    found: Counter[str] = Counter()
    for number, meeting in enumerate(client_of(zoom, account).recordings(WINDOW, Who.user())):
        found[meeting.uuid] += 1
        if number == 100:
            advance(zoom, timedelta(minutes=16))
    assert set(found) == {each.uuid for each in made}
    assert sum(found.values()) == MEETINGS + 300  # the page that was read already


def test_an_access_token_that_ends_between_two_pages(zoom: FakeZoom, account: Account) -> None:
    record(zoom, account, MEETINGS)
    found = 0
    for _ in client_of(zoom, account).recordings(WINDOW, Who.user()):
        found += 1
        if found == 10:
            zoom.tokens.access.clear()
    assert found == MEETINGS
    assert zoom.ledger.count("token") == 2


def test_details_of_every_kind_of_uuid(zoom: FakeZoom, account: Account) -> None:
    client = client_of(zoom, account)
    for meeting in record(zoom, account, 12):
        found = client.meeting(meeting.uuid, for_download=True)
        assert (found.uuid, len(found.files)) == (meeting.uuid, 1)
        assert found.download_access_token is not None
        assert found.files[0].download_url is not None
        assert client.meeting(meeting.uuid).download_access_token is None
    assert zoom.ledger.refused() == []


def test_refusals_by_zooms_own_contract(zoom: FakeZoom, account: Account) -> None:
    client = client_of(zoom, account)
    with pytest.raises(RecordingMissing):
        client.meeting("unknown==")
    with pytest.raises(UserMissing, match="nobody@example"):
        list(client.recordings(WINDOW, Who.user("nobody@example.org")))
    stranger = zoom.add_account(scopes=frozenset())
    with pytest.raises(ScopeMissing, match="list_user_recordings"):
        list(client_of(zoom, stranger).recordings(WINDOW, Who.user()))


def test_no_permission_comes_as_a_success(zoom: FakeZoom, account: Account) -> None:
    def answer(_: datetime) -> httpx.Response:
        refused = no_permission()
        return httpx.Response(refused.status, json=refused.body)

    zoom.fail(Fault("no permission", on=("user",), answer=answer))
    with pytest.raises(PermissionMissing, match="right to view"):
        list(client_of(zoom, account).recordings(WINDOW, Who.user()))


def test_a_daily_limit_waits_for_its_end(zoom: FakeZoom, account: Account) -> None:
    zoom.fail(storm("user", form="iso", wait=5 * 3600))
    with pytest.raises(MustWaitError) as caught:
        list(client_of(zoom, account).recordings(WINDOW, Who.user()))
    assert caught.value.due_at == START.astimezone(UTC) + timedelta(hours=5)


@pytest.mark.parametrize("form", ["seconds", "http", "iso", "reset"])
def test_a_storm_of_limits_is_sat_out(zoom: FakeZoom, account: Account, form: Form) -> None:
    record(zoom, account, 3)
    zoom.fail(storm("user", form=form, wait=9, times=3))
    assert len(list(client_of(zoom, account).recordings(WINDOW, Who.user()))) == 3
    assert isinstance(zoom.clock, Clock)
    assert 27 <= sum(zoom.clock.slept) <= 30
