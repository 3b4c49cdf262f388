"""VK as a publisher: an id first, doubts settled by asking, and what stands beside a video."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image

from leap_pipeline.errors import DataError, TransientError, UserActionError
from leap_pipeline.progress import ignore
from leap_pipeline.publishing.uploader import (
    Absent,
    Doubtful,
    Found,
    Gone,
    Kept,
    NotOffered,
    Processing,
    Publisher,
    SessionGone,
    Upload,
    Video,
    VideoFile,
)
from leap_pipeline.redaction import redact
from tests.support.callbacks import unheard
from tests.support.vk import faults
from tests.support.vk.desk import SENT, Desk, lecture
from tests.support.vk.world import Video as Stored


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def file(tmp_path: Path) -> VideoFile:
    return lecture(tmp_path)


def lost_reply(desk: Desk, file: VideoFile) -> Upload:
    """All bytes arrived, and nobody heard of it."""
    upload = desk.open(file)
    desk.vk.fail(faults.lost("upload"))
    with pytest.raises(TransientError):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    return upload


def test_it_is_a_publisher(desk: Desk) -> None:
    publisher: Publisher = desk.publisher
    assert publisher is desk.publisher


def test_a_session_has_its_video_before_the_first_byte(desk: Desk, file: VideoFile) -> None:
    opened = desk.publisher.open(file, SENT, "cafe")
    (draft,) = desk.vk.world.drafts()
    assert (opened.video_id, opened.owner_id) == (str(draft.id), draft.owner_id)
    assert opened.account == str(desk.person.id)
    assert opened.session["access_key"] == draft.access_key
    assert (draft.title, draft.description) == (SENT.title, SENT.description)
    assert draft.settings["privacy_view"] == ["only_me"]
    assert draft.access_key not in repr(opened)


def test_an_address_need_not_say_when_it_ends(desk: Desk, file: VideoFile) -> None:
    desk.vk.rules.says_expiry = False
    upload = desk.open(file)
    desk.later(hours=48)
    assert desk.publisher.ask(upload) == Kept()


def test_what_was_sent_is_a_video_with_an_address(desk: Desk, file: VideoFile) -> None:
    video = desk.published(file)
    (stored,) = desk.vk.world.whole()
    assert video == Video(str(stored.id), f"https://vk.com/video{stored.name}", stored.owner_id)
    assert desk.vk.ledger.refused() == []


def test_a_communitys_video_belongs_to_it(desk: Desk, file: VideoFile) -> None:
    group = desk.vk.world.add_group(desk.person)
    upload = desk.open(file, SENT.model_copy(update={"settings": {"group_id": group.id}}))
    assert (upload.account, upload.owner_id) == (str(-group.id), -group.id)
    assert desk.publisher.ask(upload) == Kept()
    video = desk.publisher.send(upload, file, 0, ignore, unheard)
    assert video.url == f"https://vk.com/video-{group.id}_{video.video_id}"
    assert desk.publisher.ask(upload) == Found(video)


@pytest.mark.parametrize("listed", [True, False])
def test_a_draft_is_sent_again_whether_it_is_listed_or_not(
    desk: Desk, file: VideoFile, listed: bool
) -> None:
    desk.vk.rules.drafts_listed = listed
    upload = desk.open(file)
    assert desk.publisher.ask(upload) == Kept()
    desk.vk.fail(faults.cut(300_000))
    with pytest.raises(TransientError):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.publisher.ask(upload) == Kept()
    desk.publisher.send(upload, file, 0, ignore, unheard)
    assert len(desk.vk.world.videos) == len(desk.vk.world.whole()) == 1


@pytest.mark.parametrize("working", [timedelta(0), timedelta(hours=1)])
def test_after_a_lost_reply_the_video_is_found(
    desk: Desk, file: VideoFile, working: timedelta
) -> None:
    desk.vk.rules.working = working
    upload = lost_reply(desk, file)
    found = desk.publisher.ask(upload)
    assert isinstance(found, Found)
    assert (found.video.video_id, found.video.owner_id) == (upload.video_id, upload.owner_id)
    assert desk.publisher.search(replace(upload, session=None)) == found


def test_a_video_that_is_listed_late_keeps_its_id_when_it_is_sent_again(
    desk: Desk, file: VideoFile
) -> None:
    desk.vk.rules.drafts_listed, desk.vk.rules.lag = False, timedelta(minutes=3)
    upload = lost_reply(desk, file)
    assert desk.publisher.ask(upload) == Kept()
    desk.publisher.send(upload, file, 0, ignore, unheard)
    assert [entry.did for entry in desk.vk.ledger.of("upload")] == ["stored", "replaced"]
    assert len(desk.vk.world.whole()) == 1


@pytest.mark.parametrize("listed", [True, False])
def test_a_connection_may_end_at_any_byte_and_there_is_one_video(
    desk: Desk, tmp_path: Path, listed: bool
) -> None:
    desk.vk.rules.drafts_listed = listed
    file = lecture(tmp_path, b"so short a lecture")
    upload = desk.open(file)
    desk.publisher.send(upload, file, 0, ignore, unheard)
    (whole,) = desk.vk.ledger.of("upload")
    offsets = range(int(listed), whole.received, 2)
    for at in offsets:
        upload = desk.open(file)
        desk.vk.fail(faults.cut(at))
        with pytest.raises(TransientError):
            desk.publisher.send(upload, file, 0, ignore, unheard)
        assert desk.publisher.ask(upload) == Kept()
        desk.publisher.send(upload, file, 0, ignore, unheard)
        assert isinstance(desk.publisher.ask(upload), Found)
    assert len(desk.vk.world.whole()) == len(desk.vk.world.videos) == 1 + len(offsets)
    assert {entry.did for entry in desk.vk.ledger.of("upload")} == {None, "stored"}


def test_an_address_that_has_ended_is_not_tried(desk: Desk, file: VideoFile) -> None:
    upload = desk.open(file)
    desk.later(hours=24)
    assert desk.publisher.ask(upload) == Gone()
    assert desk.publisher.ask(replace(upload, session=None)) == Gone()
    assert desk.vk.ledger.count("upload") == 0


def test_of_a_lost_session_the_draft_is_deleted_and_only_it(desk: Desk, file: VideoFile) -> None:
    upload = desk.open(file)
    desk.vk.end_addresses()
    with pytest.raises(SessionGone):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    lost = replace(upload, session=None)
    assert desk.publisher.search(lost) == Absent()
    assert desk.publisher.discard(lost) is False
    assert desk.vk.world.drafts() == []
    assert desk.publisher.discard(lost) is False


def test_a_draft_that_vk_does_not_show_is_deleted_too(desk: Desk, file: VideoFile) -> None:
    desk.vk.rules.drafts_listed = False
    lost = replace(desk.open(file), session=None)
    assert desk.publisher.discard(lost) is False
    assert desk.vk.world.drafts() == []


def test_what_has_content_is_never_discarded(desk: Desk, file: VideoFile) -> None:
    upload = lost_reply(desk, file)
    with pytest.raises(TransientError, match="turned up"):
        desk.publisher.discard(replace(upload, session=None))
    assert len(desk.vk.world.whole()) == 1
    assert desk.vk.ledger.count("video.delete") == 0


def test_an_open_address_takes_another_file(desk: Desk, file: VideoFile, tmp_path: Path) -> None:
    upload = desk.open(file)
    assert desk.publisher.discard(upload) is True
    other = lecture(tmp_path, b"another lecture", "other.mp4")
    desk.publisher.send(upload, other, 0, ignore, unheard)
    (stored,) = desk.vk.world.whole()
    assert stored.content is not None
    assert stored.content.sha256 == other.sha256


def test_nothing_opened_is_nowhere(desk: Desk) -> None:
    nothing = Upload("cafe", 1, None, None, None)
    assert desk.publisher.search(nothing) == Absent()
    assert desk.publisher.discard(nothing) is False
    assert desk.vk.ledger.entries == []


@pytest.mark.parametrize("community", [True, False])
def test_another_account_proves_nothing(desk: Desk, file: VideoFile, community: bool) -> None:
    group = desk.vk.world.add_group(desk.person)
    settings = {"group_id": group.id} if community else SENT.settings
    upload = desk.open(file, SENT.model_copy(update={"settings": settings}))
    other = desk.vk.world.add_person("Alan", "Turing")
    desk.tokens.now = desk.vk.world.grant(other).value
    for verdict in (
        desk.publisher.ask(upload),
        desk.publisher.search(replace(upload, session=None)),
    ):
        assert isinstance(verdict, Doubtful)
        assert verdict.facts == {
            "begun_for": upload.owner_id,
            "connected": other.id,
            "video": upload.video_id,
        }
    assert desk.vk.ledger.count("video.get") == 0


def test_what_is_its_own(desk: Desk) -> None:
    mine, other = desk.vk.world.add_group(desk.person), desk.vk.world.add_group()
    owners = (desk.person.id, desk.person.id + 1, -mine.id, -other.id)
    found = [desk.publisher.is_own(Video("5", "https://vk.com/video", owner)) for owner in owners]
    assert found == [True, False, True, False]


def test_what_is_read_from_the_database_is_a_secret_as_well(desk: Desk, file: VideoFile) -> None:
    upload = desk.open(file)
    secrets = {"upload_url": "https://up.vk.example/an-address", "access_key": "a-key-of-a-video"}
    desk.publisher.ask(replace(upload, session=secrets))
    for secret in secrets.values():
        assert secret not in redact(f"VK said {secret} to us")


def test_it_is_told_before_the_first_byte(desk: Desk, file: VideoFile) -> None:
    upload, seen = desk.open(file), list[int]()
    desk.publisher.send(
        upload, file, 0, ignore, lambda: seen.append(desk.vk.ledger.count("upload"))
    )
    assert seen == [0]
    assert desk.vk.ledger.count("upload") == 1


def test_what_cannot_be_written_down_is_not_sent(desk: Desk, file: VideoFile) -> None:
    def closing() -> None:
        msg = "The database is gone."
        raise TransientError(msg)

    with pytest.raises(TransientError, match="The database"):
        desk.publisher.send(desk.open(file), file, 0, ignore, closing)
    assert desk.vk.ledger.count("upload") == 0


def test_a_session_that_is_lost_is_not_sent_to(desk: Desk, file: VideoFile) -> None:
    lost, seen = replace(desk.open(file), session=None), list[str]()
    with pytest.raises(SessionGone):
        desk.publisher.send(lost, file, 0, ignore, lambda: seen.append("closing"))
    assert seen == []


def test_where_vk_does_not_answer_nothing_is_decided(desk: Desk, file: VideoFile) -> None:
    upload = desk.open(file)
    desk.vk.fail(faults.server_error(times=None))
    with pytest.raises(TransientError, match="VK fails"):
        desk.publisher.ask(upload)
    with pytest.raises(TransientError, match="VK fails"):
        desk.publisher.search(replace(upload, session=None))
    with pytest.raises(TransientError, match="VK fails"):
        desk.publisher.discard(replace(upload, session=None))


def test_processing_is_told_until_it_has_ended(desk: Desk, file: VideoFile) -> None:
    desk.vk.rules.working = timedelta(minutes=5)
    desk.vk.uploads.seconds_of = lambda _sha256, _size: 61
    video = desk.published(file)
    assert desk.publisher.processing(video) == Processing("processing")
    desk.later(minutes=5)
    assert desk.publisher.processing(video) == Processing("processed", 61.0)
    desk.publisher.retract(video)
    assert desk.publisher.processing(video).state == "gone"


def test_a_video_that_vk_cannot_read_has_failed(desk: Desk, file: VideoFile) -> None:
    desk.vk.uploads.refused.add(file.sha256)
    video = desk.published(file)
    assert desk.publisher.processing(video) == Processing(
        "failed", reason="The video cannot be read."
    )


def test_retracting_twice_is_no_error(desk: Desk, file: VideoFile) -> None:
    video = desk.published(file)
    desk.vk.fail(faults.lost("video.delete"))
    desk.publisher.retract(video)
    desk.publisher.retract(video)
    assert desk.vk.world.whole() == []


def test_a_refused_retraction_is_told(desk: Desk, file: VideoFile) -> None:
    video = desk.published(file)
    desk.vk.fail(faults.refusal("video.delete", code=204))
    with pytest.raises(UserActionError, match="does not permit the deletion"):
        desk.publisher.retract(video)


def stored_of(desk: Desk) -> Stored:
    (video,) = desk.vk.world.whole()
    return video


def test_texts_and_settings_are_changed_and_may_be_again(desk: Desk, file: VideoFile) -> None:
    video = desk.published(file)
    wanted = SENT.model_copy(
        update={"title": "Trees", "settings": {"privacy_view": ["all"], "no_comments": 1}}
    )
    for _ in range(2):
        desk.publisher.restate(video, wanted, "cafe")
        stored = stored_of(desk)
        assert (stored.title, stored.settings["privacy_view"]) == ("Trees", ["all"])
        assert stored.settings["no_comments"] is True
    assert desk.vk.ledger.refused() == []


def test_a_thumbnail_is_set_and_may_be_again(desk: Desk, file: VideoFile, tmp_path: Path) -> None:
    video, picture = desk.published(file), tmp_path / "t.png"
    Image.new("RGB", (320, 180), "navy").save(picture)
    desk.vk.fail(faults.lost("video.saveUploadedThumb"))
    for _ in range(2):
        desk.publisher.set_thumbnail(video, picture)
    assert stored_of(desk).thumb is not None


def test_an_album_takes_a_video_once_and_gives_it_back(desk: Desk, file: VideoFile) -> None:
    video, album = desk.published(file), desk.vk.world.add_album(desk.person.id)
    desk.vk.fail(faults.lost("video.addToAlbum"))
    for _ in range(2):
        assert desk.publisher.collect(video, str(album.id)) is None
    assert album.videos == [stored_of(desk).name]
    for _ in range(2):
        desk.publisher.take_out(video, str(album.id), None)
    assert album.videos == []
    assert desk.vk.ledger.refused() == []


@pytest.mark.parametrize(("album", "words"), [("99", "no such album"), ("x", "“x” is no album")])
def test_a_wrong_album_is_a_sentence(desk: Desk, file: VideoFile, album: str, words: str) -> None:
    video = desk.published(file)
    with pytest.raises(UserActionError, match=words):
        desk.publisher.collect(video, album)


def test_captions_are_not_offered(desk: Desk, file: VideoFile, tmp_path: Path) -> None:
    video = desk.published(file)
    with pytest.raises(NotOffered, match="VK takes no captions"):
        desk.publisher.put_captions(video, tmp_path / "a.srt", "ru", "Русский", None)


def test_a_video_without_an_owner_is_a_fault_of_leap(desk: Desk) -> None:
    with pytest.raises(DataError, match="needs its owner"):
        desk.publisher.processing(Video("5", "https://vk.com/video5"))
