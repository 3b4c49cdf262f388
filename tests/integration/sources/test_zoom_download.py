"""A Zoom recording becomes a stored video, over real sockets from a fake of Zoom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, update

from assets.video import raw_video
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import SubscriptionPlan
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import Asset
from leap_pipeline.domain.shapes.sources import ZoomMeta
from leap_pipeline.errors import (
    InputError,
    MustWaitError,
    QuotaExceeded,
    Superseded,
    UserActionError,
)
from leap_pipeline.services.retention import sweep_unfinished
from leap_pipeline.services.zoom_download import Wanted, part_of
from leap_pipeline.sources.zoom.models import ZoomFile, ZoomMeeting
from resources.leap import LeapResource
from tests.support import postgres
from tests.support.bench import make_bench
from tests.support.clips import make_clip
from tests.support.downloads import PIECE, Download, left, padded, recorded
from tests.support.postgres import TestServer
from tests.support.synced import make_synced
from tests.support.zoom import faults
from tests.support.zoom.content import Content
from tests.support.zoom.serve import serving

SIZE = 1_000_000


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(
        tmp_path_factory.mktemp("clip") / "lecture.mp4", pattern=[("mark", 0.2), ("voice", 0.8)]
    )


@pytest.fixture
def zoom(shared_database: Database, tmp_path: Path, clip: Path) -> Iterator[Download]:
    """One synced recording of about a megabyte, with its file on a server."""
    with shared_database.system() as session:
        session.execute(delete(User))
    bench = make_bench(shared_database, tmp_path / "storage")
    synced = make_synced(bench, home=tmp_path / "home", blank_max_bytes=0)
    meeting = recorded(synced, padded(clip, SIZE))
    synced.sync()
    with serving(synced.fake):
        yield Download(synced, meeting, synced.one().recording.id)
    assert synced.fake.ledger.refused() == []


def test_a_recording_is_downloaded_verified_and_stored(zoom: Download, clip: Path) -> None:
    raw = zoom.run()
    assert zoom.stored() == padded(clip, SIZE)
    row = zoom.synced.one().recording
    assert (row.download_status, row.status) == ("COMPLETED", "DOWNLOADED")
    assert row.video_file_size == SIZE
    assert raw.facts["fetched bytes"] == SIZE
    assert raw.expected == SIZE
    assert zoom.told[-1] == "100 % are here"
    assert zoom.partials == []
    assert zoom.synced.bench.stored(zoom.recording_id) == {raw.stored_path: SIZE}
    assert zoom.synced.fake.ledger.count("details") == 1


def test_a_worker_that_died_is_continued(zoom: Download, clip: Path) -> None:
    """With a fresh link: the first one's signature and token are not used again."""
    zoom.synced.fake.faults.add(faults.storm("cdn", after=6, times=1, wait=3600))
    with pytest.raises(MustWaitError):
        zoom.attempt(connections=1)
    assert zoom.partials == [f"{zoom.recording_id}-raw"]
    raw = zoom.run(connections=1)
    assert raw.facts["resumed bytes"] == 6 * PIECE
    assert raw.facts["fetched bytes"] == SIZE - 6 * PIECE
    assert zoom.stored() == padded(clip, SIZE)


def test_without_a_token_for_the_file_that_of_the_account_opens_it(zoom: Download) -> None:
    for account in zoom.synced.fake.world.accounts.values():
        account.download_tokens = False
    assert zoom.run().facts["fetched bytes"] == SIZE


def test_an_expired_signature_half_way_costs_a_link_and_no_bytes(zoom: Download) -> None:
    zoom.synced.fake.faults.add(faults.refusal("cdn", status=403, after=4))
    raw = zoom.run(connections=1)
    assert raw.facts["fetched bytes"] == SIZE
    assert zoom.synced.fake.ledger.count("details") == 2


def test_a_death_after_the_file_was_put_in_place_costs_nothing(zoom: Download) -> None:
    """Killed in the transaction that names it: the next worker finds it where it is."""
    with zoom.work() as work:
        work.begin(Asset.RAW_VIDEO)
        raw = zoom.bring(work)
        with suppress(Superseded), raw.held:
            work.storage.put(raw.path, raw.stored_path)
            raise Superseded
    again = zoom.run()
    assert again.facts["fetched bytes"] == 0
    assert zoom.stored() != b""
    assert zoom.partials == []


def test_the_view_that_is_fetched_is_noted(zoom: Download, clip: Path) -> None:
    """A better view came after the sync: it is the one."""
    better = padded(clip, SIZE + 5, seed=2)
    zoom.file.recording_type = "gallery_view"
    zoom.synced.sync()
    zoom.synced.fake.add_file(zoom.meeting, content=Content.of(better))
    zoom.run()
    assert zoom.stored() == better
    view = zoom.synced.one().meta["view"]
    assert (view["recording_type"], view["file_size"]) == (
        "shared_screen_with_speaker_view",
        SIZE + 5,
    )
    zoom.synced.sync()
    assert "better_view" not in zoom.synced.one().meta


def test_a_file_that_changes_at_zoom_is_of_one_version(zoom: Download, clip: Path) -> None:
    other = Content.of(padded(clip, SIZE, seed=9))
    fake, hits = zoom.synced.fake, 0

    def change(_request: object) -> bool:
        nonlocal hits
        hits += 1
        if hits == 5:
            fake.change(zoom.file, other)
        return False

    fake.faults.add(faults.Fault("change", ("cdn",), when=change))
    raw = zoom.run(connections=1)
    assert zoom.stored() == other.data
    assert raw.facts["started over"] == 1


@pytest.mark.parametrize("ready", [True, False], ids=["gone", "processing"])
def test_what_zoom_does_not_have_is_waited_for_with_growing_gaps(
    zoom: Download, shared_database: Database, ready: bool
) -> None:
    if ready:
        zoom.synced.fake.delete(zoom.meeting)
    else:
        zoom.file.ready_at = None
    gaps = []
    for hours in (0, 12):
        with zoom.work() as work:
            _age(shared_database, work.run_id, hours)
            work.begin(Asset.RAW_VIDEO)
            with pytest.raises(MustWaitError) as raised:
                zoom.bring(work)
            gaps.append(raised.value.due_at - datetime.now(UTC))
            work.wait_until(raised.value.due_at, str(raised.value))
    assert gaps == sorted(gaps)
    assert timedelta(minutes=4) < gaps[0] < timedelta(minutes=6)
    assert gaps[-1] > timedelta(hours=3)
    with zoom.work() as work:
        _age(shared_database, work.run_id, 25)
        work.begin(Asset.RAW_VIDEO)
        with pytest.raises(UserActionError, match="a day"):
            zoom.bring(work)


def test_a_passcode_or_login_page_is_said_so_and_never_stored(zoom: Download) -> None:
    zoom.synced.fake.faults.add(faults.login_page("download", times=None))
    with pytest.raises(UserActionError, match="passcode"):
        zoom.attempt()


def test_a_download_that_is_not_allowed_says_so(zoom: Download) -> None:
    zoom.synced.fake.faults.add(faults.refusal("download", status=403, times=None))
    with pytest.raises(UserActionError, match="allow downloads"):
        zoom.attempt()


def test_an_outage_is_waited_out_with_what_came(zoom: Download) -> None:
    zoom.synced.fake.faults.add(faults.server_error("cdn", after=5, times=None, status=502))
    with pytest.raises(MustWaitError, match="502"):
        zoom.attempt(patience=0.3, connections=1)
    zoom.synced.fake.faults.clear()
    assert zoom.run().facts["resumed bytes"] == 5 * PIECE


def test_a_source_without_an_account_says_so(zoom: Download) -> None:
    zoom.synced.set_source(credential_id=None)
    with pytest.raises(InputError, match="has no Zoom account"):
        zoom.attempt()


def test_a_full_quota_refuses_before_the_first_byte(
    zoom: Download, shared_database: Database
) -> None:
    with shared_database.system() as session:
        session.execute(
            update(SubscriptionPlan)
            .where(SubscriptionPlan.name == "Enterprise")
            .values(included_storage_gb=0)
        )
    try:
        with pytest.raises(QuotaExceeded):
            zoom.attempt()
    finally:
        with shared_database.system() as session:
            session.execute(
                update(SubscriptionPlan)
                .where(SubscriptionPlan.name == "Enterprise")
                .values(included_storage_gb=None)
            )
    assert sum(body.sent for body in zoom.synced.fake.ledger.bodies) <= 2 * PIECE


def test_a_file_that_does_not_open_is_not_kept(zoom: Download) -> None:
    zoom.synced.fake.change(zoom.file, Content.of(bytes(SIZE - 7)))
    for _ in range(2):
        with zoom.work() as work:
            begun = work.begin(Asset.RAW_VIDEO)
            with pytest.raises(InputError, match=r"not a media file.*\(999993 bytes\): play it"):
                zoom.bring(work)
            work.fail(Asset.RAW_VIDEO, begun, "does not open")
    assert zoom.partials == []


def test_a_size_that_zoom_tells_wrong_is_a_check_and_no_failure(zoom: Download, clip: Path) -> None:
    """The listing said something else than the file server sends."""
    fake, other = zoom.synced.fake, Content.of(padded(clip, SIZE + 1))

    def change(_request: object) -> bool:
        if len(zoom.file.contents) == 1:
            fake.change(zoom.file, other)
        return False

    fake.faults.add(faults.Fault("change", ("cdn",), when=change))
    raw = zoom.run()
    assert (raw.info.size, raw.expected) == (SIZE + 1, SIZE)


def test_the_asset_brings_it_in_a_run_of_dagster(
    zoom: Download, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = zoom.synced
    urls = synced.database.urls
    environment = {
        "HOME": synced.settings.home,
        "STORAGE_ROOT": synced.bench.storage.root,
        "DATABASE_URL": urls.application.render_as_string(hide_password=False),
        "MIGRATION_URL": urls.migration.render_as_string(hide_password=False),
        "ENCRYPTION_KEYS": (synced.settings.encryption_keys or SecretStr("")).get_secret_value(),
        "ZOOM_API_URL": f"{synced.fake.files_url}/v2",
        "ZOOM_OAUTH_URL": f"{synced.fake.files_url}/oauth",
        "DOWNLOAD_PRIVATE_ADDRESSES": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"LEAP_{name}", str(value))
    key = partition_key(synced.bench.slug, zoom.recording_id)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("recordings", [key])
        done = dg.materialize(
            [raw_video],
            instance=instance,
            partition_key=key,
            resources={"leap": LeapResource()},
        )
    assert done.success
    (made,) = done.asset_materializations_for_node("raw_video")
    assert made.metadata["fetched bytes"].value == SIZE
    checks = {each.check_name: each.passed for each in done.get_asset_check_evaluations()}
    assert checks == {"opens": True, "size_as_listed": True}
    assert zoom.stored() == padded(clip, SIZE)
    assert zoom.partials == []


def test_a_worker_that_lost_its_hold_stops_and_writes_nothing(zoom: Download) -> None:
    zoom.synced.fake.faults.add(faults.slow(rate=200_000))
    with zoom.work() as work:
        work.begin(Asset.RAW_VIDEO)
        work.lock.lost.set()
        with pytest.raises(Superseded):
            zoom.bring(work)
    assert zoom.synced.one().recording.local_video_path is None


def test_unfinished_files_are_swept_when_nobody_wants_them(zoom: Download) -> None:
    storage, database = zoom.synced.bench.storage, zoom.synced.database
    for name in (f"{zoom.recording_id}-raw", "999999-raw"):
        left(storage, name)
    assert sweep_unfinished(database, storage, dry_run=True) == ["999999-raw"]
    assert sweep_unfinished(database, storage) == ["999999-raw"]
    assert zoom.partials == [f"{zoom.recording_id}-raw"]
    zoom.synced.bench.set(zoom.recording_id, download_status="COMPLETED")
    assert sweep_unfinished(database, storage) == [f"{zoom.recording_id}-raw"]


def _age(database: Database, run_id: int, hours: float) -> None:
    with database.system() as session:
        session.execute(
            update(RecordingRun)
            .where(RecordingRun.id == run_id)
            .values(started_at=datetime.now(UTC) - timedelta(hours=hours))
        )


def test_a_placeholder_knows_its_part() -> None:
    """Rows from the original platform have the meeting's bare UUID, and facts of one file."""
    starts = [datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (9, 10, 11)]
    files = tuple(
        ZoomFile(recording_start=f"{start:%FT%TZ}", file_type="MP4", file_size=number)
        for number, start in enumerate(starts, start=100)
    )
    meeting = ZoomMeeting(uuid="ab==", start_time=f"{starts[0]:%FT%TZ}", files=files)

    def found(key: str, **meta: object) -> int | None:
        part = part_of(meeting, Wanted(key, ZoomMeta.model_validate(meta), 1))
        return None if part is None or part.best is None else part.best.file_size

    assert found("ab==@2026-03-02T10:00:00Z") == 101
    assert found("ab==@2026-03-02T12:00:00Z") is None
    assert found("ab==") == 100
    assert found("ab==", recording_start=starts[2].isoformat()) == 102
    assert found("ab==", view={"file_size": 101}) == 101
