"""Zoom sources synced into recordings: every part once, whatever happens and in whatever order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leap_pipeline.domain.permissions import NEW_USER
from leap_pipeline.domain.states import DownloadStatus
from leap_pipeline.domain.wanted import BLANK, TOO_LONG, TOO_SHORT, UNMATCHED
from leap_pipeline.domain.zoom_parts import part_key
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.catalogue import update_source
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.matching import template_created
from leap_pipeline.services.moves import move_download
from leap_pipeline.services.steering import skip, unskip
from tests.support.bench import Bench
from tests.support.synced import Synced, make_synced
from tests.support.zoom.content import Content
from tests.support.zoom.scenario import MEGABYTE

HOUR = timedelta(hours=1)


@pytest.fixture
def synced(bench: Bench) -> Synced:
    return make_synced(bench)


def test_a_recording_comes_with_all_that_is_known_of_it(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_recording(
        synced.host, topic="Alge\u200bbra\n1", start=start, duration=95, size=300 * MEGABYTE
    )
    template = synced.template(exact_matches=["Algebra 1"])
    created: list[str] = []
    now = synced.now
    counts = synced.sync(created=created)
    assert counts.model_dump(exclude_defaults=True) == {"found": 1, "new": 1, "matched": 1}
    row = synced.one()
    found = row.recording
    assert created == [f"{synced.bench.slug:06d}-{found.id}"]
    assert row.key == part_key(meeting.uuid, start)
    assert (found.display_name, found.start_time, found.duration) == ("Algebra 1", start, 95 * 60)
    assert (found.video_file_size, found.blank_record) == (300 * MEGABYTE, False)
    assert (found.template_id, found.is_mapped) == (template, True)
    assert (found.input_source_id, row.source_id) == (synced.source_id, synced.source_id)
    assert (found.status, found.download_status) == ("INITIALIZED", "PENDING")
    assert row.meta["topic"] == "Alge\u200bbra\n1"
    assert row.meta["view"]["file_size"] == 300 * MEGABYTE
    assert meeting.passcode not in str(row.meta)
    picture = synced.bench.picture(found.id)
    assert picture.status == picture.projected
    assert set(picture.stages.values()) == {"PENDING"}
    source = synced.source_row()
    assert (source.last_sync_at, source.failures, source.last_error) == (now, 0, None)
    assert source.last_result == counts.model_dump()
    assert source.next_poll_at == now + timedelta(minutes=15)


def test_a_second_sync_writes_nothing(synced: Synced) -> None:
    for hours in range(1, 20):
        synced.fake.add_recording(synced.host, start=synced.now - hours * HOUR)
    pending = synced.fake.add_meeting(synced.host, start=synced.now - HOUR / 2)
    synced.fake.add_file(pending, ready_at=None)
    assert synced.sync().new == 20
    before, writes = synced.states(), synced.writes()
    synced.advance(minutes=15)
    for _ in range(3):
        counts = synced.sync()
        assert (counts.found, counts.new, counts.updated, counts.pending) == (20, 0, 0, 1)
    assert synced.states() == before
    assert synced.writes() == writes


@pytest.mark.parametrize("ready", [True, False], ids=["ready", "prepared"])
@pytest.mark.parametrize("rows", [["Algebra", 90, 300], ["Short", 5, 300], ["Small", 90, 1]])
def test_new_rows_have_the_status_that_their_facts_imply(
    synced: Synced, rows: list[object], *, ready: bool
) -> None:
    topic, minutes, megabytes = rows
    synced.configure(skip_unmatched=topic == "Algebra")
    synced.fake.add_recording(
        synced.host,
        topic=str(topic),
        start=synced.now - 3 * HOUR,
        duration=minutes,
        size=int(str(megabytes)) * MEGABYTE,
        ready_at=synced.now if ready else None,
    )
    counts = synced.sync()
    found = synced.one().recording
    picture = synced.bench.picture(found.id)
    assert picture.status == picture.projected == ("SKIPPED" if ready else "PENDING_SOURCE")
    assert found.skip_reason == ((UNMATCHED if topic == "Algebra" else BLANK) if ready else None)
    assert found.blank_record is (ready and topic != "Algebra")
    assert (counts.blank, counts.pending) == (int(found.blank_record or 0), int(not ready))
    assert (found.next_look_at is not None) is not ready


def test_a_placeholder_becomes_the_first_part(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=start)
    synced.fake.add_file(meeting, file_type="CHAT")
    later = synced.now + 2 * HOUR
    for begins in (start + HOUR, start + timedelta(minutes=1)):
        synced.fake.add_file(meeting, start=begins, minutes=30, appears_at=later)
    assert synced.sync().pending == 1
    placeholder = synced.one()
    assert placeholder.key == meeting.uuid
    assert placeholder.recording.status == "PENDING_SOURCE"
    synced.advance(hours=3)
    counts = synced.sync()
    assert (counts.found, counts.new, counts.updated, counts.pending) == (2, 1, 1, 0)
    first, second = synced.rows()
    assert first.recording.id == placeholder.recording.id
    assert first.key == part_key(meeting.uuid, start + timedelta(minutes=1))
    assert first.recording.start_time == start + timedelta(minutes=1)
    assert (first.recording.status, first.recording.next_look_at) == ("INITIALIZED", None)
    assert first.recording.duration == second.recording.duration == 30 * 60
    names = [row.recording.display_name for row in (first, second)]
    assert names == ["Algebra", "Algebra (part 2)"]


def test_a_part_that_comes_late_and_first_has_no_name_of_another(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=start)
    synced.fake.add_file(meeting, start=start + HOUR, minutes=30)
    synced.fake.add_file(meeting, start=start, minutes=30, appears_at=synced.now + HOUR)
    gone = synced.fake.add_file(meeting, start=start - HOUR, appears_at=synced.now + HOUR)
    synced.sync()
    second = synced.one()
    synced.advance(hours=2)
    synced.sync()
    rows = synced.rows()
    assert [row.recording.display_name for row in rows] == [
        "Algebra",
        "Algebra (part 2)",
        "Algebra (part 3)",
    ]
    assert rows[2].recording.id == second.recording.id
    synced.fake.remove_file(gone)
    assert synced.sync().updated == 0
    assert [row.recording.display_name for row in synced.rows()][2] == "Algebra (part 3)"


def test_an_adopted_row_is_taken_over_by_the_part_that_fits_it(synced: Synced) -> None:
    start = synced.now - 5 * HOUR
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=start)
    for hours, size in ((0, 100), (1, 200), (2, 300)):
        begins = start + hours * HOUR
        synced.fake.add_file(meeting, start=begins, minutes=40, size=size * MEGABYTE)
    adopted = synced.adopt(
        meeting.uuid,
        {"meeting_id": meeting.uuid, "view": {"file_size": 200 * MEGABYTE}},
        display_name="Algebra, as Ada calls it",
        download_status="COMPLETED",
        local_video_path="users/user_000001/recordings/1/source.mp4",
    )
    counts = synced.sync()
    assert (counts.found, counts.new, counts.updated) == (3, 2, 1)
    taken = [row for row in synced.rows() if row.recording.id == adopted]
    assert [row.key for row in taken] == [part_key(meeting.uuid, start + HOUR)]
    assert taken[0].recording.display_name == "Algebra, as Ada calls it"
    assert taken[0].recording.download_status == "COMPLETED"
    before = synced.states()
    synced.sync()
    assert synced.states() == before


def test_a_tombstone_is_not_brought_back_and_a_deleted_one_is_left_alone(synced: Synced) -> None:
    for topic in ("gone", "bin", "kept"):
        synced.fake.add_recording(synced.host, topic=topic, start=synced.now - 3 * HOUR)
    empty = synced.fake.add_meeting(synced.host, topic="empty", start=synced.now - 2 * HOUR)
    synced.fake.add_file(empty, file_type="CHAT")
    synced.sync()
    rows = {row.recording.display_name: row.recording.id for row in synced.rows()}
    synced.bench.set(rows["gone"], delete_state="hard_deleted", deleted=True)
    synced.bench.set(rows["empty"], delete_state="hard_deleted", deleted=True)
    synced.bench.set(rows["bin"], delete_state="soft_deleted", deleted=True)
    for meeting in synced.fake.world.meetings.values():
        synced.fake.rename(meeting, "new name")
        synced.fake.add_file(meeting, size=900 * MEGABYTE)
    counts = synced.sync()
    assert (counts.found, counts.skipped, counts.new, counts.updated) == (4, 2, 0, 1)
    names = {row.recording.id: row.recording.display_name for row in synced.rows()}
    assert {name: names[number] for name, number in rows.items()} == {
        "gone": "gone",
        "bin": "bin",
        "empty": "empty",
        "kept": "new name",
    }
    assert {row.recording.video_file_size for row in synced.rows()} == {
        None,
        200 * MEGABYTE,
        900 * MEGABYTE,
    }


def test_a_name_follows_zoom_until_a_person_changes_it(synced: Synced) -> None:
    first = synced.fake.add_recording(synced.host, topic="one", start=synced.now - 3 * HOUR)
    second = synced.fake.add_recording(synced.host, topic="two", start=synced.now - 2 * HOUR)
    synced.sync()
    by_name = {row.recording.display_name: row.recording.id for row in synced.rows()}
    synced.bench.set(by_name["two"], display_name="Ada's name")
    template = synced.template(keywords=["physics"])
    synced.fake.rename(first, "Physics 1")
    synced.fake.rename(second, "Physics 2")
    counts = synced.sync()
    assert (counts.updated, counts.matched) == (2, 1)
    found = {row.recording.id: row for row in synced.rows()}
    renamed, own = found[by_name["one"]], found[by_name["two"]]
    assert renamed.recording.display_name == "Physics 1"
    assert (renamed.recording.template_id, renamed.recording.is_mapped) == (template, True)
    assert own.recording.display_name == "Ada's name"
    assert own.meta["topic"] == "Physics 2"
    synced.fake.rename(second, "Physics 3")
    synced.sync()
    assert synced.bench.row(own.recording.id).display_name == "Ada's name"


def test_a_meeting_without_a_name_takes_the_one_it_gets_and_keeps_it(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, topic="", start=start)
    for part in range(2):
        synced.fake.add_file(meeting, start=start + part * HOUR, minutes=30)
    for topic, shown in (("", "Untitled"), ("Algebra", "Algebra"), ("", "Algebra")):
        synced.fake.rename(meeting, topic)
        synced.sync()
        names = [row.recording.display_name for row in synced.rows()]
        assert names == [shown, f"{shown} (part 2)"]


def test_a_better_view_replaces_the_file_before_the_download_and_is_noted_after(
    synced: Synced,
) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, start=start)
    views = ("gallery_view", "shared_screen", "shared_screen_with_speaker_view")
    for hours, view in enumerate(views):
        synced.fake.add_file(
            meeting,
            recording_type=view,
            size=(300 - hours) * MEGABYTE,
            appears_at=synced.now + hours * HOUR,
        )
    synced.sync()
    number = synced.one().recording.id
    synced.advance(hours=1)
    assert synced.sync().updated == 1
    row = synced.one()
    assert (row.meta["view"]["recording_type"], row.recording.video_file_size) == (
        "shared_screen",
        299 * MEGABYTE,
    )
    with synced.database.system() as session:
        move_download(session, number, DownloadStatus.IN_PROGRESS)
        move_download(session, number, DownloadStatus.COMPLETED)
    synced.advance(hours=1)
    assert synced.sync().updated == 1
    row = synced.one()
    assert row.meta["view"]["recording_type"] == "shared_screen"
    assert row.meta["better_view"]["recording_type"] == "shared_screen_with_speaker_view"
    assert row.recording.video_file_size == 299 * MEGABYTE
    assert synced.sync().updated == 0


def test_a_longer_file_that_comes_late_is_wanted(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, start=start)
    synced.fake.add_file(meeting, minutes=10, recording_type="gallery_view")
    synced.sync()
    assert synced.one().recording.skip_reason == BLANK
    synced.fake.add_file(meeting, minutes=80)
    synced.sync()
    found = synced.one().recording
    assert (found.skip_reason, found.blank_record, found.status) == (None, False, "INITIALIZED")


def test_what_a_person_said_of_skipping_stays(synced: Synced) -> None:
    blank = synced.fake.add_recording(
        synced.host, topic="blank", start=synced.now - 3 * HOUR, duration=5
    )
    synced.fake.add_recording(synced.host, topic="long", start=synced.now - 3 * HOUR)
    synced.sync()
    rows = {row.recording.display_name: row.recording.id for row in synced.rows()}
    with synced.database.system() as session:
        unskip(session, rows["blank"], actor=SYSTEM)
        skip(session, rows["long"], "Ada does not want it", actor=SYSTEM)
    synced.fake.rename(blank, "still blank")
    assert synced.sync().updated == 1
    assert synced.bench.row(rows["blank"]).status == "INITIALIZED"
    assert synced.bench.row(rows["blank"]).blank_record is True
    assert synced.bench.row(rows["long"]).skip_reason == "Ada does not want it"


def test_a_source_has_bounds_of_its_own(synced: Synced) -> None:
    synced.configure(min_duration_minutes=10, max_duration_minutes=60)
    for minutes in (9, 10, 60, 61):
        synced.fake.add_recording(
            synced.host, topic=str(minutes), start=synced.now - 3 * HOUR, duration=minutes
        )
    assert synced.sync().blank == 1
    reasons = {row.recording.display_name: row.recording.skip_reason for row in synced.rows()}
    assert reasons == {"9": TOO_SHORT, "10": None, "60": None, "61": TOO_LONG}
    synced.configure(min_duration_minutes=5)
    assert synced.sync().updated == 2
    assert {row.recording.skip_reason for row in synced.rows()} == {None}


def test_what_was_skipped_for_want_of_a_template_is_wanted_when_it_gets_one(
    synced: Synced,
) -> None:
    synced.configure(skip_unmatched=True)
    synced.fake.add_recording(synced.host, topic="Algebra", start=synced.now - 3 * HOUR)
    synced.fake.add_recording(synced.host, topic="Physics", start=synced.now - 3 * HOUR)
    assert synced.sync().unmatched == 2
    assert {row.recording.status for row in synced.rows()} == {"SKIPPED"}
    template = synced.template(keywords=["algebra"])
    with synced.database.tenant(synced.bench.user_id) as session:
        changes = template_created(session, synced.bench.user_id, template)
    (mapped,) = changes.mapped
    picture = synced.bench.picture(mapped)
    assert picture.status == picture.projected == "INITIALIZED"
    assert synced.bench.row(mapped).skip_reason is None
    before = synced.states()
    assert synced.sync().matched == 1
    assert synced.states() == before


def test_nothing_is_deleted_when_zoom_lists_less(synced: Synced) -> None:
    for hours in range(1, 6):
        synced.fake.add_recording(synced.host, start=synced.now - hours * HOUR)
    meeting = synced.fake.add_meeting(synced.host, start=synced.now - HOUR)
    file = synced.fake.add_file(meeting)
    synced.fake.add_file(meeting, file_type="CHAT")
    assert synced.sync().found == 6
    before = synced.states()
    synced.fake.remove_file(file)  # the meeting stays listed, without a video
    for each in list(synced.fake.world.meetings.values())[:4]:
        synced.fake.delete(each)
    assert synced.sync().new == 0
    assert synced.states() == before
    for each in synced.fake.world.meetings.values():
        synced.fake.delete(each)
    assert synced.sync().found == 0
    assert synced.states() == before


def test_a_dry_run_counts_and_writes_nothing(synced: Synced) -> None:
    synced.template(keywords=["algebra"])
    for day in range(1, 40):  # two windows, which overlap
        topic = "Algebra" if day % 2 else "Physics"
        start = synced.now - timedelta(days=day)
        synced.fake.add_recording(synced.host, topic=topic, start=start)
    synced.configure(sync_from_date=(synced.now - timedelta(days=45)).isoformat())
    foreseen = synced.sync(dry_run=True)
    source = synced.source_row()
    assert (synced.rows(), source.cursor, source.last_sync_at, source.next_poll_at) == (
        [],
        None,
        None,
        None,
    )
    assert (foreseen.found, foreseen.new, foreseen.matched) == (39, 39, 20)
    assert synced.sync() == foreseen
    assert synced.sync(dry_run=True).new == 0


def test_a_recording_of_two_sources_belongs_to_the_first(synced: Synced) -> None:
    other = synced.source(synced.credential(), min_duration_minutes=100)
    synced.fake.add_recording(synced.host, start=synced.now - 3 * HOUR)
    synced.sync()
    before = synced.states()
    assert synced.sync(other).found == 1
    assert synced.states() == before
    with synced.database.system() as session:
        from sqlalchemy import text

        session.execute(text("DELETE FROM input_sources WHERE id = :id"), {"id": synced.source_id})
    assert synced.sync(other).updated == 1
    assert synced.one().recording.input_source_id == other


def test_files_change_their_ids_and_bytes_and_stay_one_recording(synced: Synced) -> None:
    meeting = synced.fake.add_recording(synced.host, start=synced.now - 3 * HOUR)
    synced.sync()
    synced.fake.change(meeting.files[0], Content(400 * MEGABYTE, 9), new_id=True)
    assert synced.sync().updated == 1
    row = synced.one()
    assert row.meta["view"]["file_id"] == meeting.files[0].id(synced.now)
    assert row.recording.video_file_size == 400 * MEGABYTE


def test_a_source_that_is_to_be_read_from_an_earlier_day_is_read_anew(synced: Synced) -> None:
    synced.fake.add_recording(synced.host, topic="old", start=synced.now - timedelta(days=80))
    synced.fake.add_recording(synced.host, topic="new", start=synced.now - timedelta(days=20))
    assert synced.sync().found == 1
    assert synced.sync().found == 0  # beyond the days that are read again
    before = synced.source_row()
    editor = Editor(Actor(synced.bench.user_id, "Ada"), NEW_USER)

    def change(**values: Any) -> None:
        with synced.database.tenant(synced.bench.user_id) as session:
            update_source(session, editor, synced.source_id, **values)

    change(description="of the school")
    assert synced.source_row().cursor == before.cursor
    since = (synced.now - timedelta(days=90)).isoformat()
    change(config={"sync_from_date": since})
    row = synced.source_row()
    assert (row.cursor, row.next_poll_at) == (None, None)
    counts = synced.sync()
    assert (counts.found, counts.new) == (2, 1)
