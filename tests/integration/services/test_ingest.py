"""A file becomes a recording: once, whole, matched, or not at all."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import Asset
from leap_pipeline.errors import DataError, InputError, LeapError, TransientError, UserActionError
from leap_pipeline.services import ingest as ingesting
from leap_pipeline.services.ingest import Ingested, ingest_file, source_file
from leap_pipeline.services.raw_video import verified_raw_video
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from leap_pipeline.storage.local import LocalStorage
from tests.support.bench import Bench, finish
from tests.support.clips import make_clip

EMAIL = "owner@example.org"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(folder / "Graph theory, week 3.mp4", pattern=[("speech", 2.0)], size="64x36")


def take(bench: Bench, path: Path, email: str = EMAIL, **settings: Any) -> Ingested:
    chosen = Settings(**settings)
    return ingest_file(bench.database, bench.storage, chosen, path, email=email)


def count(bench: Bench) -> int:
    with bench.database.system() as session:
        return session.scalar(select(func.count()).select_from(Recording)) or 0


def in_storage(bench: Bench) -> list[Path]:
    """Every file there is, scratch included."""
    return [path for path in bench.storage.root.rglob("*") if path.is_file()]


def recording_folders(bench: Bench) -> list[Path]:
    return list(bench.storage.root.glob("users/*/recordings/*"))


def test_a_file_becomes_a_recording(bench: Bench, clip: Path) -> None:
    found = take(bench, clip)
    assert found.created
    assert found.template_id is None
    assert found.partition == partition_key(bench.slug, found.recording_id)
    row = bench.row(found.recording_id)
    assert (row.display_name, row.duration) == ("Graph theory, week 3", 2)
    assert (row.user_id, row.is_mapped) == (bench.user_id, False)
    assert row.video_file_size == clip.stat().st_size
    assert row.start_time == datetime.fromtimestamp(clip.stat().st_mtime, tz=UTC)
    picture = bench.picture(found.recording_id)
    assert picture.status == picture.projected == "INITIALIZED"
    assert set(picture.stages.values()) == {"PENDING"}
    (stored,) = in_storage(bench)
    path = f"users/user_{bench.slug:06d}/recordings/{found.recording_id}/source.mp4"
    assert stored == bench.storage.root / path
    assert stored.read_bytes() == clip.read_bytes()
    assert bench.stored(found.recording_id) == {path: clip.stat().st_size}


def test_the_raw_video_is_found_again_and_verified(bench: Bench, clip: Path) -> None:
    recording = take(bench, clip).recording_id
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    raw = verified_raw_video(work)
    assert raw.path.read_bytes() == clip.read_bytes()
    raw.path.write_bytes(clip.read_bytes() + b"\0" * 8)
    with pytest.raises(DataError, match=r"has \d+ bytes where \d+ were ingested"):
        verified_raw_video(work)
    raw.path.unlink()
    with pytest.raises(DataError, match=r"source\.mp4 is missing"):
        verified_raw_video(work)
    work.close()


def test_a_recording_without_a_source_says_so(bench: Bench) -> None:
    work = bench.claim(bench.recording())
    with pytest.raises(DataError, match="has no source, from which this version cannot fetch"):
        verified_raw_video(work)
    work.close()


@pytest.mark.parametrize("meta", [None, {}, {"stored_path": "a"}, {"bytes": 3}])
def test_a_source_that_does_not_name_its_file_says_so(meta: dict[str, Any] | None) -> None:
    with pytest.raises(DataError, match="does not say where its file is"):
        source_file(meta)


def test_the_same_file_twice_is_one_recording(bench: Bench, clip: Path, tmp_path: Path) -> None:
    first = take(bench, clip)
    renamed = tmp_path / "another name.MP4"
    renamed.write_bytes(clip.read_bytes())
    for again in (take(bench, clip), take(bench, renamed)):
        assert not again.created
        assert again.recording_id == first.recording_id
        assert again.partition == first.partition
    assert count(bench) == 1
    assert len(in_storage(bench)) == 1


def test_two_users_have_a_recording_each_of_the_same_file(bench: Bench, clip: Path) -> None:
    with bench.database.system() as session:
        add_user(session, "other@example.org")
    first, second = take(bench, clip), take(bench, clip, "OTHER@example.org")
    assert second.created
    assert first.recording_id != second.recording_id
    assert len(in_storage(bench)) == 2


def test_the_same_file_at_once_from_many_sides_is_one_recording(bench: Bench, clip: Path) -> None:
    start, found = threading.Barrier(5), []

    def side() -> None:
        start.wait()
        found.append(take(bench, clip))

    threads = [threading.Thread(target=side) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 5
    assert sum(each.created for each in found) == 1
    assert len({each.recording_id for each in found}) == 1
    assert count(bench) == 1
    assert len(in_storage(bench)) == len(recording_folders(bench)) == 1


def test_an_unknown_user_is_refused_before_anything_is_read(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no user nobody@example\.org"):
        take(bench, tmp_path / "there is no such file.mp4", "nobody@example.org")


def _missing(path: Path, _clip: Path) -> None:
    """Leaves it missing."""


def _folder(path: Path, _clip: Path) -> None:
    path.mkdir()


def _empty(path: Path, _clip: Path) -> None:
    path.touch()


def _page(path: Path, _clip: Path) -> None:
    path.write_text("<!DOCTYPE html><html><body>Please log in</body></html>", encoding="utf-8")


def _truncated(path: Path, clip: Path) -> None:
    path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])


def _mute(path: Path, _clip: Path) -> None:
    make_clip(path, pattern=[("silence", 1.0)], size="64x36", with_audio=False)


@pytest.mark.parametrize("spoil", [_missing, _folder, _empty, _page, _truncated, _mute])
def test_a_bad_file_is_refused_and_leaves_nothing_behind(
    bench: Bench, clip: Path, tmp_path: Path, spoil: Callable[[Path, Path], None]
) -> None:
    path = tmp_path / "lecture.mp4"
    spoil(path, clip)
    with pytest.raises(InputError, match=r"lecture\.mp4"):
        take(bench, path)
    assert count(bench) == 0
    assert in_storage(bench) == []


def test_a_file_that_changes_while_it_is_read_is_refused(
    bench: Bench, clip: Path, tmp_path: Path
) -> None:
    path = tmp_path / "growing.mp4"
    path.write_bytes(clip.read_bytes())

    def grow(fraction: float) -> None:
        if fraction > 0.5 and path.stat().st_size == clip.stat().st_size:
            path.write_bytes(clip.read_bytes() + b"more")

    with pytest.raises(InputError, match="changed while it was read: wait until it is whole"):
        ingest_file(bench.database, bench.storage, Settings(), path, email=EMAIL, progress=grow)
    assert count(bench) == 0
    assert in_storage(bench) == []


def test_a_full_disk_leaves_nothing_behind(
    bench: Bench, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalStorage, "put", full)
    with pytest.raises(UserActionError, match="is full"):
        take(bench, clip)
    assert count(bench) == 0
    assert in_storage(bench) == []


def test_a_transaction_that_fails_after_the_file_is_in_place_takes_the_file_with_it(
    bench: Bench, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        msg = "the database went away"
        raise TransientError(msg)

    monkeypatch.setattr(ingesting, "refresh_status", broken)
    with pytest.raises(TransientError, match="went away"):
        take(bench, clip)
    assert count(bench) == 0
    assert in_storage(bench) == []
    assert recording_folders(bench) == []
    monkeypatch.undo()
    assert take(bench, clip).created


def test_a_commit_whose_answer_is_lost_keeps_its_file(
    bench: Bench, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are there, so their file has to be."""
    real = bench.database.tenant

    class AnswerLost:
        urls = bench.database.urls
        system = bench.database.system

        def tenant(self, user_id: str) -> Any:
            return Lost(real(user_id))

    class Lost:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __enter__(self) -> Any:
            self.session = self.inner.__enter__()
            return self.session

        def __exit__(self, *error: Any) -> Any:
            wrote = self.session.scalar(select(func.count()).select_from(SourceMetadata))
            self.inner.__exit__(*error)
            if wrote and error == (None, None, None):
                msg = "the connection broke after the commit"
                raise TransientError(msg)

    lost: Any = AnswerLost()
    with pytest.raises(TransientError, match="after the commit"):
        ingest_file(lost, bench.storage, Settings(), clip, email=EMAIL)
    assert count(bench) == 1
    assert len(in_storage(bench)) == 1
    assert not take(bench, clip).created


def test_what_a_killed_ingest_left_is_swept_by_the_next_and_a_living_one_is_not(
    bench: Bench, clip: Path
) -> None:
    scratch = bench.storage.root / ".scratch"
    for name, age in (("ingest-DEAD", ingesting.ABANDONED_SECONDS + 60), ("ingest-ALIVE", 0)):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "source").write_bytes(b"half")
        then = time.time() - age
        for path in (scratch / name / "source", scratch / name):
            os.utime(path, (then, then))
    take(bench, clip)
    assert [left.name for left in scratch.iterdir()] == ["ingest-ALIVE"]


def test_a_recording_is_mapped_to_the_oldest_template_that_matches(
    bench: Bench, clip: Path
) -> None:
    hit = {"keywords": ["graph THEORY"]}
    others: list[dict[str, Any]] = [
        {"matching_rules": {"keywords": ["algebra"]}},
        {"matching_rules": {"keywords": 3}},
        {"matching_rules": hit, "is_active": False},
        {"matching_rules": hit, "is_draft": True},
        {"matching_rules": {**hit, "source_ids": [bench.source()]}},
    ]
    for columns in others:
        bench.template(None, **columns)
    wanted = bench.template(None, matching_rules=hit)
    bench.template(None, matching_rules=hit)
    found = take(bench, clip)
    assert found.template_id == wanted
    row = bench.row(found.recording_id)
    assert (row.template_id, row.is_mapped) == (wanted, True)
    assert take(bench, clip).template_id == wanted


@pytest.mark.parametrize(
    ("limits", "blank"),
    [
        ({"blank_max_seconds": 3, "blank_max_bytes": 0}, True),
        ({"blank_max_seconds": 0, "blank_max_bytes": 10**9}, True),
        ({"blank_max_seconds": 2, "blank_max_bytes": 0}, False),
        ({}, True),
    ],
)
def test_a_blank_file_is_flagged_and_never_skipped(
    bench: Bench, clip: Path, limits: dict[str, Any], blank: bool
) -> None:
    found = take(bench, clip, **limits)
    row = bench.row(found.recording_id)
    assert row.blank_record is blank
    assert (row.skip_reason, row.status) == (None, "INITIALIZED")


def test_exactly_the_size_that_counts_is_not_blank(bench: Bench, clip: Path) -> None:
    size = clip.stat().st_size
    found = take(bench, clip, blank_max_seconds=0, blank_max_bytes=size)
    assert bench.row(found.recording_id).blank_record is False


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"broken \xff name.mp4", "broken name"),
        ("Й̆ двойной\u202e.mp4".encode(), "Й̆ двойной"),
        (b"line\nbreak\ttab .mp4", "line break tab"),
        (b".mp4", ".mp4"),
    ],
)
def test_any_file_name_will_do(
    bench: Bench, clip: Path, tmp_path: Path, name: bytes, shown: str
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_bytes(clip.read_bytes())
    found = take(bench, path)
    assert bench.row(found.recording_id).display_name == shown


def test_an_ingested_file_can_be_run(bench: Bench, clip: Path) -> None:
    recording = take(bench, clip).recording_id
    work = bench.start(recording)
    begun = work.begin(Asset.RAW_VIDEO)
    raw = verified_raw_video(work)
    work.complete(Asset.RAW_VIDEO, begun, columns={"local_video_path": raw.stored_path})
    finish(work, Asset.TRIMMED_VIDEO, work.begin(Asset.TRIMMED_VIDEO))
    work.close()
    assert len(bench.stored(recording)) == 2
    assert bench.picture(recording).status == "DOWNLOADED"


def test_no_error_of_ingest_is_of_an_unnamed_kind(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(LeapError):
        take(bench, tmp_path)
