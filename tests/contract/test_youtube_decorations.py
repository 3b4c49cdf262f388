"""What stands beside a published video, against the fake of YouTube: repeated without harm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from leap_pipeline.errors import (
    DataError,
    InputError,
    MustWaitError,
    TransientError,
    UserActionError,
)
from leap_pipeline.progress import ignore
from leap_pipeline.publishing.uploader import Processing, Video
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.web.errors import CredentialRefused
from tests.support.callbacks import unheard
from tests.support.youtube import faults, world
from tests.support.youtube.desk import MARKER, SENT, SRT, Desk, picture, video

OTHER_SRT = SRT.replace(b"Hello", b"Good day")


class Published(Desk):
    """A desk with a video on its channel, processed by now."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        file = video(folder, 1000)
        publisher = self.publisher()
        upload = self.upload(publisher.open(file, SENT, MARKER), file)
        self.video = publisher.send(upload, file, 0, ignore, unheard)
        self.playlist = self.fake.add_playlist(self.channel)
        self.folder = folder
        self.quota.calls.clear()

    @property
    def there(self) -> world.Video:
        return self.fake.world.videos[self.video.video_id]

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def captions(
        self, content: bytes = SRT, *, name: str = "English", known: str | None = None
    ) -> str:
        path = self.file("captions.srt", content)
        return self.publisher().put_captions(self.video, path, "en", name, known)


@pytest.fixture
def desk(tmp_path: Path) -> Published:
    return Published(tmp_path)


@pytest.fixture
def publisher(desk: Published) -> YouTubePublisher:
    return desk.publisher()


def test_captions_are_put_and_replaced(desk: Published) -> None:
    track = desk.captions()
    assert desk.captions(OTHER_SRT, known=track) == track
    (there,) = desk.there.tracks
    assert (there.id, there.content, there.language, there.name) == (
        track,
        OTHER_SRT,
        "en",
        "English",
    )
    assert not there.is_draft
    assert desk.quota.units() == 400 + 50 + 450
    assert desk.fake.ledger.refused() == []


def test_captions_whose_answer_was_lost_are_found(desk: Published) -> None:
    desk.fake.fail(faults.lost("captions.insert"))
    with pytest.raises(TransientError):
        desk.captions()
    track = desk.captions(OTHER_SRT)
    (there,) = desk.there.tracks
    assert (there.id, there.content) == (track, OTHER_SRT)


def test_captions_of_another_name_take_the_place_of_the_old(desk: Published) -> None:
    old = desk.captions()
    new = desk.captions(name="Lecture", known=old)
    assert [(each.id, each.name) for each in desk.there.tracks] == [(new, "Lecture")]


def test_captions_that_a_person_deleted_are_put_again(desk: Published) -> None:
    old = desk.captions()
    desk.there.tracks.clear()
    assert desk.captions(known=old) != old
    assert len(desk.there.tracks) == 1


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_is_set(desk: Published, publisher: YouTubePublisher, form: str) -> None:
    content = picture(form)
    for _ in range(2):
        publisher.set_thumbnail(desk.video, desk.file("picture", content))
    assert desk.there.picture == content
    assert desk.quota.calls == {QuotaCall.THUMBNAIL_SET: 2}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<svg/>", "no JPEG and no PNG"),
        (b"\xff\xd8\xff" + bytes(2 << 20), "YouTube takes 2097152"),
    ],
)
def test_a_wrong_picture_is_not_sent(
    desk: Published, publisher: YouTubePublisher, content: bytes, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        publisher.set_thumbnail(desk.video, desk.file("picture.svg", content))
    assert desk.fake.ledger.count("thumbnails.set") == 0


def test_a_video_is_in_a_playlist_once(desk: Published, publisher: YouTubePublisher) -> None:
    entry = publisher.collect(desk.video, desk.playlist.id)
    assert publisher.collect(desk.video, desk.playlist.id) == entry
    assert [each[0] for each in desk.playlist.entries] == [entry]


def test_an_entry_whose_answer_was_lost_is_not_made_twice(
    desk: Published, publisher: YouTubePublisher
) -> None:
    desk.fake.fail(faults.lost("playlistItems.insert"))
    with pytest.raises(TransientError):
        publisher.collect(desk.video, desk.playlist.id)
    entry = publisher.collect(desk.video, desk.playlist.id)
    assert [each[0] for each in desk.playlist.entries] == [entry]


@pytest.mark.parametrize("known", [True, False])
def test_a_video_is_taken_out_of_a_playlist(
    desk: Published, publisher: YouTubePublisher, known: bool
) -> None:
    entry = publisher.collect(desk.video, desk.playlist.id)
    for _ in range(2):
        publisher.take_out(desk.video, desk.playlist.id, entry if known else None)
    assert desk.playlist.entries == []


def test_a_playlist_that_is_not_there_is_told(desk: Published, publisher: YouTubePublisher) -> None:
    with pytest.raises(UserActionError, match=r"no such playlist.*playlist_id"):
        publisher.collect(desk.video, "PLnone")
    with pytest.raises(UserActionError, match="no such playlist"):
        publisher.take_out(desk.video, "PLnone", None)


def test_a_change_says_every_part_whole(desk: Published, publisher: YouTubePublisher) -> None:
    desk.there.snippet["defaultAudioLanguage"] = "ru"
    desk.there.status["license"] = "creativeCommon"
    sent = SENT.model_copy(update={"title": "Графы, исправлено", "tags": ("trees",)})
    for _ in range(2):
        publisher.restate(desk.video, sent, MARKER)
    assert desk.there.snippet == {
        "title": "Графы, исправлено",
        "description": SENT.description,
        "tags": ["trees", f"leap-{MARKER}"],
        "categoryId": "27",
        "defaultLanguage": "ru",
        "defaultAudioLanguage": "ru",
    }
    assert desk.there.status == {
        "privacyStatus": "unlisted",
        "selfDeclaredMadeForKids": False,
        "embeddable": True,
        "license": "creativeCommon",
    }


def test_a_video_that_was_published_by_time_is_not_hidden_again(
    desk: Published, publisher: YouTubePublisher
) -> None:
    at = (desk.clock() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    settings = {**SENT.settings, "privacyStatus": "private", "publishAt": at}
    sent = SENT.model_copy(update={"settings": settings})
    publisher.restate(desk.video, sent, MARKER)
    assert desk.there.status["publishAt"] == at
    desk.clock.advance(timedelta(hours=2))
    publisher.restate(desk.video, sent, MARKER)
    assert desk.there.status["privacyStatus"] == "public"
    assert "publishAt" not in desk.there.status


def test_a_retracted_video_is_gone_and_stays_gone(
    desk: Published, publisher: YouTubePublisher
) -> None:
    for _ in range(2):
        publisher.retract(desk.video)
    assert desk.fake.videos() == []
    assert publisher.processing(desk.video) == Processing("gone")
    with pytest.raises(UserActionError, match=r"retract it .* publish it again"):
        publisher.restate(desk.video, SENT, MARKER)
    with pytest.raises(UserActionError, match="no such video any more"):
        publisher.set_thumbnail(desk.video, desk.file("picture", picture()))


def test_processing_is_followed_to_its_end(desk: Published, publisher: YouTubePublisher) -> None:
    desk.there.seconds = 3725.0
    assert publisher.processing(desk.video) == Processing("processing")
    desk.clock.advance(timedelta(minutes=2))
    assert publisher.processing(desk.video) == Processing("processed", 3725.0)
    desk.there.failure = "codec"
    assert publisher.processing(desk.video) == Processing("failed", None, "codec")


def test_quota_is_asked_before_and_told_after(desk: Published, publisher: YouTubePublisher) -> None:
    desk.fake.project().units = 0
    with pytest.raises(MustWaitError, match="quota for today") as wait:
        desk.captions()
    assert wait.value.due_at == desk.quota.reset
    assert desk.quota.refusals == [QuotaCall.CAPTIONS_INSERT]
    desk.quota.full = frozenset(QuotaCall)
    reached = len(desk.fake.ledger.entries)
    with pytest.raises(MustWaitError, match="does not fit"):
        publisher.processing(desk.video)
    assert len(desk.fake.ledger.entries) == reached


def test_a_token_is_renewed_once(desk: Published, publisher: YouTubePublisher) -> None:
    desk.fake.revoke(desk.tokens.get().get_secret_value())
    assert publisher.processing(desk.video).state == "processing"
    assert desk.tokens.renewed == 1


@pytest.mark.parametrize(
    ("status", "reason", "kind", "told"),
    [
        (401, "authError", CredentialRefused, "connect the account again"),
        (401, "youtubeSignupRequired", UserActionError, "no YouTube channel"),
        (403, "insufficientPermissions", UserActionError, "leave every box ticked"),
        (403, "accessNotConfigured", UserActionError, "enable it in the Google Cloud console"),
        (403, "forbidden", UserActionError, "youtube.com/verify"),
        (403, "somethingNew", UserActionError, "HTTP 403, somethingNew"),
        (400, "invalidTitle", UserActionError, "title"),
        (400, "invalidDescription", UserActionError, "description"),
        (400, "invalidTags", UserActionError, "`tags`"),
        (400, "invalidCategoryId", UserActionError, "`category_id`"),
        (400, "invalidPublishAt", UserActionError, "`publish_at`"),
        (400, "invalidVideoMetadata", UserActionError, "`default_language`"),
        (404, "videoNotFound", UserActionError, "retract it .* publish it again"),
        (400, "somethingNew", DataError, "fault of LEAP"),
        (302, "moved", UserActionError, "does not follow"),
    ],
)
def test_each_refusal_is_one_sentence(
    desk: Published,
    publisher: YouTubePublisher,
    status: int,
    reason: str,
    kind: type[Exception],
    told: str,
) -> None:
    desk.fake.fail(faults.refusal("videos.update", status=status, reason=reason, times=None))
    with pytest.raises(kind, match=told) as refused:
        publisher.restate(desk.video, SENT, MARKER)
    assert desk.tokens.renewed == (1 if reason == "authError" else 0)
    words = str(refused.value)
    assert words.endswith(".")
    assert "\n" not in words


@pytest.mark.parametrize(
    "fault",
    [
        faults.refusal("videos.update", status=503, times=2),
        faults.refusal("videos.update", status=429, retry_after=3),
        faults.refusal("videos.update", status=403, reason="rateLimitExceeded", times=3),
        faults.lost("videos.update"),
    ],
    ids=["503", "429", "rate limit", "reply lost"],
)
def test_what_may_be_repeated_is(
    desk: Published, publisher: YouTubePublisher, fault: faults.Fault
) -> None:
    planned = desk.fake.fail(faults.Fault(**fault.__dict__))
    publisher.restate(desk.video, SENT, MARKER)
    assert planned.hits >= 1
    assert desk.quota.calls[QuotaCall.VIDEO_UPDATE] == 1


def test_a_video_of_another_channel_is_out_of_reach(desk: Published) -> None:
    other = desk.publisher(desk.tokens_of(desk.fake.add_channel("Another")))
    with pytest.raises(UserActionError, match="its own"):
        other.retract(desk.video)
    assert other.processing(Video("none", "https://youtu.be/none")) == Processing("gone")
