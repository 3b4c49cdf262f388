"""The ledger of YouTube's quota on real rows: never overspent, spent by priority, foretold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import QuotaSpent
from leap_pipeline.domain.credentials import YouTube
from leap_pipeline.domain.youtube_quota import SPREAD, Limits, pacific_day
from leap_pipeline.errors import MustWaitError
from leap_pipeline.progress import ignore
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import Quota, QuotaCall
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.youtube_needs import Projects, project_name, waiting
from leap_pipeline.services.youtube_quota import Forecast, YouTubeQuota, forecasts
from leap_pipeline.settings import Settings
from tests.support.accounts import race
from tests.support.bench import Bench
from tests.support.callbacks import unheard
from tests.support.published import CLIENT, Shelf
from tests.support.youtube.desk import MARKER, SENT, SRT, Desk, Tokens, video

NOON = datetime(2026, 11, 23, 20, tzinfo=UTC)  # 12:00 Pacific
RESET = datetime(2026, 11, 24, 8, tzinfo=UTC)
TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)
PROJECT = "407408718192"
TIGHT = Limits(20, 1_000)
Call = QuotaCall


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return load_vault(Settings(home=tmp_path))


@pytest.fixture
def shelf(bench: Bench, vault: Vault) -> Shelf:
    with bench.database.system() as session:
        session.execute(delete(QuotaSpent))
    return Shelf(bench, vault)


def quota(shelf: Shelf, clock: Clock, limits: Limits | None = None, **given: str) -> YouTubeQuota:
    return YouTubeQuota(
        shelf.bench.database,
        shelf.vault,
        given.pop("project", PROJECT),
        limits=limits or Limits(),
        app_client_id=CLIENT,
        clock=clock,
        dice=lambda low, high: (low + high) / 2,
        **given,
    )


def ledger(shelf: Shelf, day: date = TODAY, project: str = PROJECT) -> dict[str, tuple[int, int]]:
    """Calls and units by kind."""
    with shelf.bench.database.system() as session:
        rows = session.scalars(
            select(QuotaSpent).where(QuotaSpent.day == day, QuotaSpent.project == project)
        )
        return {row.kind: (row.calls, row.units) for row in rows}


def fill(shelf: Shelf, units: int) -> None:
    """So many units of today are gone."""
    with shelf.bench.database.system() as session:
        session.add(
            QuotaSpent(
                project=PROJECT, day=TODAY, bucket="units", kind="before", calls=1, units=units
            )
        )


def fits(of: YouTubeQuota, call: QuotaCall) -> bool:
    try:
        of.spend(call)
    except MustWaitError:
        return False
    return True


def test_calls_are_counted_by_kind_and_day(shelf: Shelf, clock: Clock) -> None:
    mine: Quota = quota(shelf, clock)
    for call in (Call.VIDEO_INSERT, Call.CHANNEL, Call.CAPTIONS_INSERT, Call.CAPTIONS_INSERT):
        mine.spend(call)
    assert ledger(shelf) == {
        "videos.insert": (1, 1),
        "channels.list": (1, 1),
        "captions.insert": (2, 800),
    }
    clock.now = RESET
    mine.spend(Call.CHANNEL)
    assert ledger(shelf, TOMORROW) == {"channels.list": (1, 1)}


def test_what_does_not_fit_waits_for_the_reset_and_costs_nothing(
    shelf: Shelf, clock: Clock
) -> None:
    mine = quota(shelf, clock)
    fill(shelf, 9_650)
    with pytest.raises(MustWaitError, match=r"captions\.insert needs 400.*9650 are spent") as wait:
        mine.spend(Call.CAPTIONS_INSERT)
    assert wait.value.due_at == RESET + SPREAD / 2
    assert ledger(shelf) == {"before": (1, 9_650)}
    # Units and inserts are apart, and what is smaller still fits.
    for _ in range(7):
        mine.spend(Call.THUMBNAIL_SET)
    assert not fits(mine, Call.CHANNEL)
    mine.spend(Call.VIDEO_INSERT)
    clock.now = RESET
    mine.spend(Call.CAPTIONS_INSERT)


def test_a_list_is_not_paid_for_where_what_follows_does_not_fit(shelf: Shelf, clock: Clock) -> None:
    fill(shelf, 9_551)
    mine = quota(shelf, clock)
    assert not fits(mine, Call.CAPTIONS_LIST)
    assert fits(mine, Call.CAPTIONS_INSERT)
    assert not fits(mine, Call.PLAYLIST_LIST)
    assert ledger(shelf)["captions.insert"] == (1, 400)


def test_a_hundred_videos_a_day_and_no_more(shelf: Shelf, clock: Clock) -> None:
    mine = quota(shelf, clock, Limits(3, 10_000))
    assert [fits(mine, Call.VIDEO_INSERT) for _ in range(5)] == [True, True, True, False, False]
    clock.now = RESET
    assert fits(mine, Call.VIDEO_INSERT)


def spend_many(shelf: Shelf) -> str:
    """In a process of its own, which shares no connection with its parent."""
    database = Database(shelf.bench.database.urls)
    mine = YouTubeQuota(database, shelf.vault, PROJECT, limits=TIGHT, clock=Clock())
    calls = (Call.VIDEO_INSERT, Call.CHANNEL, Call.THUMBNAIL_SET, Call.CAPTIONS_INSERT)
    for number in range(24):
        fits(mine, calls[number % len(calls)])
    return "done"


def test_workers_together_never_overspend(shelf: Shelf) -> None:
    assert race([partial(spend_many, shelf)] * 4) == ["done"] * 4
    spent = ledger(shelf)
    assert spent.pop("videos.insert") == (20, 20)  # of 24 that were asked for
    assert 950 < sum(units for _, units in spent.values()) <= 1_000
    costs = {call.method: call.units for call in QuotaCall}
    assert all(units == calls * costs[kind] for kind, (calls, units) in spent.items())


def test_what_google_refuses_closes_the_bucket_for_the_day(shelf: Shelf, clock: Clock) -> None:
    mine = quota(shelf, clock)
    assert mine.refused(Call.CAPTIONS_INSERT) == RESET + SPREAD / 2
    with pytest.raises(MustWaitError, match="YouTube gives no more units today") as wait:
        quota(shelf, clock).spend(Call.CHANNEL)
    assert wait.value.due_at == RESET + SPREAD / 2
    assert fits(mine, Call.VIDEO_INSERT)
    assert fits(quota(shelf, clock, project="another"), Call.CHANNEL)
    clock.now = RESET
    assert fits(mine, Call.CHANNEL)


def test_a_refusal_just_after_the_reset_may_be_of_yesterday(shelf: Shelf, clock: Clock) -> None:
    mine = quota(shelf, clock)
    clock.now = RESET + timedelta(minutes=3)
    opens = RESET + timedelta(minutes=15)
    assert mine.refused(Call.VIDEO_INSERT) == opens + SPREAD / 2
    assert not fits(mine, Call.VIDEO_INSERT)
    clock.now = opens
    assert fits(mine, Call.VIDEO_INSERT)
    clock.now = opens + timedelta(minutes=1)
    assert mine.refused(Call.VIDEO_INSERT) == RESET + timedelta(days=1) + SPREAD / 2
    assert not fits(mine, Call.VIDEO_INSERT)


def test_thumbnails_of_todays_videos_are_kept_back_from_captions(
    shelf: Shelf, clock: Clock
) -> None:
    account = shelf.account()
    for _ in range(3):
        shelf.target(account, uploaded_at=NOON, steps={"thumbnail": "pending", "listing": "done"})
    fill(shelf, 9_450)
    mine = quota(shelf, clock)
    with pytest.raises(MustWaitError, match=r"needs 400 .* 150 kept for what comes first"):
        quota(shelf, clock, Limits(100, 9_999)).spend(Call.CAPTIONS_INSERT)
    mine.spend(Call.CAPTIONS_INSERT)
    assert not fits(mine, Call.CAPTIONS_INSERT)
    assert [fits(mine, Call.THUMBNAIL_SET) for _ in range(4)] == [True, True, True, False]


def test_planned_videos_are_kept_room_for_and_never_more_than_can_be_uploaded(
    shelf: Shelf, clock: Clock
) -> None:
    account = shelf.account()
    for _ in range(5):
        shelf.target(account)
    # Each of two: 5 to settle doubts, thumbnail 50, playlist 51, captions 400.
    two = Limits(2, 2 * (5 + 50 + 51) + 399)
    assert not fits(quota(shelf, clock, two), Call.CAPTIONS_INSERT)
    assert fits(quota(shelf, clock, Limits(2, two.units + 1)), Call.CAPTIONS_INSERT)
    assert not fits(quota(shelf, clock, Limits(2, two.units + 1)), Call.VIDEO_UPDATE)
    assert fits(quota(shelf, clock, Limits(2, 2 * 506 + 400 + 50)), Call.VIDEO_UPDATE)
    # A look costs next to nothing, and is held up by nobody.
    assert fits(quota(shelf, clock, Limits(2, 451)), Call.VIDEO_LIST)


def test_what_a_person_takes_away_waits_behind_nothing(shelf: Shelf, clock: Clock) -> None:
    account = shelf.account()
    for _ in range(5):
        shelf.target(account)
    tight = quota(shelf, clock, Limits(5, 60))
    assert not fits(tight, Call.THUMBNAIL_SET)
    assert fits(tight, Call.VIDEO_DELETE)


def test_an_open_upload_keeps_its_room_without_an_insert(shelf: Shelf, clock: Clock) -> None:
    account = shelf.account()
    shelf.target(account, state="open", session="sealed", opened_at=NOON)
    assert not fits(quota(shelf, clock, Limits(0, 505)), Call.CAPTIONS_INSERT)
    assert fits(quota(shelf, clock, Limits(0, 506)), Call.CAPTIONS_INSERT)


def test_nothing_is_kept_for_what_is_not_of_today_or_of_another_project(
    shelf: Shelf, clock: Clock
) -> None:
    mine, other = shelf.account(), shelf.account(client_id="999-other.apps.example")
    pending = {"thumbnail": "pending"}
    shelf.target(mine, uploaded_at=NOON - timedelta(days=1), steps=pending)
    shelf.target(mine, uploaded_at=NOON, steps=pending, run="waiting", due_at=RESET)
    shelf.target(mine, uploaded_at=NOON, steps=pending, run=None)
    shelf.target(mine, uploaded_at=NOON, steps={"thumbnail": "failed", "captions": "done"})
    shelf.target(other, uploaded_at=NOON, steps=pending)
    fill(shelf, 9_600)
    assert fits(quota(shelf, clock), Call.CAPTIONS_INSERT)
    shelf.target(mine, uploaded_at=NOON, steps=pending, run="waiting", due_at=NOON)
    fill_more(shelf, -400)
    assert not fits(quota(shelf, clock), Call.CAPTIONS_INSERT)


def fill_more(shelf: Shelf, units: int) -> None:
    with shelf.bench.database.system() as session:
        session.execute(
            text("UPDATE youtube_quota_ledger SET units = units + :units WHERE kind = 'before'"),
            {"units": units},
        )


def test_projects_are_read_once_and_anew_where_a_credential_changed(shelf: Shelf) -> None:
    number, project = shelf.account(), shelf.account(client_id="an-app", project_id="lectures")
    nameless, user = shelf.account(client_id="an-app"), shelf.bench.user_id
    own = Projects(shelf.vault, CLIENT)
    with shelf.bench.database.system() as session:
        found = own.of(session, None)
        assert found == {
            number: PROJECT,
            project: f"{user}:lectures",
            nameless: f"{user}:credential-{nameless}",
        }
        assert own.of(session, [project]) == {project: f"{user}:lectures"}
        session.execute(
            text("UPDATE user_credentials SET encrypted_data = 'torn' WHERE id = :id"),
            {"id": project},
        )
        session.execute(
            text("UPDATE user_credentials SET is_active = false WHERE id = :id"), {"id": number}
        )
        assert own.of(session, None) == {nameless: f"{user}:credential-{nameless}"}
        assert waiting(session) == []


@pytest.mark.parametrize(
    ("document", "project"),
    [
        ({}, PROJECT),
        ({"client_id": None}, PROJECT),
        ({"project_id": "theirs"}, PROJECT),  # its own word counts for nothing there
        ({"client_secret": "of-their-own"}, f"ada:{PROJECT}"),
        ({"refresh_token": None, "access_token": "of-any-app"}, f"ada:{PROJECT}"),
        ({"client_id": "99-theirs.apps.example"}, "ada:99"),
        ({"client_id": "theirs", "project_id": PROJECT}, f"ada:{PROJECT}"),
        ({"client_id": "theirs"}, "ada:credential-5"),
    ],
)
def test_no_document_names_the_ledger_of_others(document: dict[str, str], project: str) -> None:
    given = {"refresh_token": "1//a-refresh-token", "client_id": CLIENT, **document}
    said = {name: value for name, value in given.items() if value is not None}
    assert project_name("ada", 5, YouTube.model_validate(said), CLIENT) == project


def test_without_an_app_of_leaps_nothing_is_shared() -> None:
    theirs = YouTube.model_validate({"refresh_token": "1//a-refresh-token", "project_id": PROJECT})
    assert project_name("ada", 5, theirs, None) == f"ada:{PROJECT}"


def foretell(shelf: Shelf, limits: Limits | None = None) -> dict[str, Forecast]:
    database, given = shelf.bench.database, limits or Limits()
    found = forecasts(database, shelf.vault, NOON, limits=given, app_client_id=CLIENT)
    return {each.project: each for each in found}


def test_the_forecast_says_what_waits_and_on_which_day_it_fits(shelf: Shelf, clock: Clock) -> None:
    account = shelf.account()
    for _ in range(3):
        shelf.target(account)
    shelf.target(account, run="waiting", due_at=RESET, state="open", session="x", opened_at=NOON)
    shelf.target(account, uploaded_at=NOON, steps={"captions": "pending", "thumbnail": "done"})
    mine = quota(shelf, clock)
    mine.spend(Call.VIDEO_INSERT)
    mine.spend(Call.CAPTIONS_INSERT)
    found = foretell(shelf, Limits(3, 1_400))[PROJECT]
    assert (found.day, found.resets_at) == (TODAY, RESET)
    assert [(each.name, each.limit, each.spent, each.left) for each in found.buckets] == [
        ("inserts", 3, 1, 2),
        ("units", 1_400, 400, 1_000),
    ]
    assert {each.kind: (each.count, dict(each.days)) for each in found.waits} == {
        "video": (3, {TODAY: 2, TOMORROW: 1}),
        "thumbnail": (4, {TODAY: 3, TOMORROW: 1}),
        "collection": (4, {TODAY: 3, TOMORROW: 1}),
        "captions": (5, {TODAY: 1, TOMORROW: 3, date(2026, 11, 25): 1}),
    }


def test_the_forecast_of_a_closed_bucket_begins_tomorrow(shelf: Shelf, clock: Clock) -> None:
    account = shelf.account(client_id="an-app", project_id="lectures")
    shelf.target(account)
    lectures = f"{shelf.bench.user_id}:lectures"
    quota(shelf, clock, project=lectures).refused(Call.VIDEO_INSERT)
    quota(shelf, clock, project="only-spent").spend(Call.CHANNEL)
    found = foretell(shelf)
    assert set(found) == {lectures, "only-spent"}
    inserts, units = found[lectures].buckets
    assert (inserts.left, inserts.closed_until, units.left) == (0, RESET, 10_000)
    waits = {each.kind: dict(each.days) for each in found[lectures].waits}
    assert waits["video"] == waits["captions"] == {TOMORROW: 1}
    assert found["only-spent"].waits == ()


def test_a_bucket_that_is_closed_for_minutes_has_what_is_left_today(
    shelf: Shelf, clock: Clock
) -> None:
    clock.now = RESET + timedelta(minutes=1)
    mine = quota(shelf, clock)
    mine.spend(Call.CAPTIONS_INSERT)
    mine.refused(Call.CAPTIONS_INSERT)
    (found,) = forecasts(shelf.bench.database, shelf.vault, clock.now)
    units = found.buckets[1]
    assert (units.left, units.closed_until) == (9_600, RESET + timedelta(minutes=15))


class Booked(Desk):
    """A channel at the fake of YouTube, of which the real ledger keeps the account."""

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        super().__init__()
        self.book = YouTubeQuota(
            shelf.bench.database, shelf.vault, PROJECT, limits=limits, clock=self.clock
        )

    def publisher(self, tokens: Tokens | None = None) -> YouTubePublisher:
        return YouTubePublisher(
            self.http, tokens or self.tokens, self.book, clock=self.clock, sleep=self.clock.sleep
        )


def test_the_ledger_says_what_youtube_counts(shelf: Shelf, tmp_path: Path) -> None:
    desk = Booked(shelf, Limits(100, 1_400))
    publisher = desk.publisher()
    file = video(tmp_path, 1_000)
    upload = desk.upload(publisher.open(file, SENT, MARKER), file)
    there = publisher.send(upload, file, 0, ignore, unheard)
    captions = tmp_path / "lecture.srt"
    captions.write_bytes(SRT)
    track = publisher.put_captions(there, captions, "en", "English", None)
    publisher.collect(there, desk.fake.add_playlist(desk.channel).id)
    publisher.put_captions(there, captions, "en", "English", track)
    publisher.processing(there)
    counted, now = desk.fake.project(), desk.clock()
    day = pacific_day(now)
    spent = ledger(shelf, day)
    assert spent["videos.insert"] == (1, counted.of("inserts", now)) == (1, 1)
    units = sum(units for kind, (_, units) in spent.items() if kind != "videos.insert")
    assert units == counted.of("units", now) > 900
    # What does not fit any more never reaches YouTube.
    before = len(desk.fake.ledger.entries)
    with pytest.raises(MustWaitError, match=r"captions\.list needs 500"):
        publisher.put_captions(there, captions, "en", "English", track)
    assert len(desk.fake.ledger.entries) == before
    # And what YouTube counts more than the ledger does, YouTube says.
    counted.units = counted.of("units", now)
    with pytest.raises(MustWaitError):
        publisher.processing(there)
    with pytest.raises(MustWaitError, match="YouTube gives no more units today"):
        desk.publisher().channel()
    assert ledger(shelf, day)["videos.list"][0] == 2
