"""What is published of a recording: from its configuration, its results and its owner."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.domain.shapes.publishing import VkMetadata, YouTubeMetadata
from leap_pipeline.domain.states import Platform, Stage
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.preview import Preview, digests, load_preview
from leap_pipeline.services.publication import (
    NO_SUBTITLES,
    NO_VIDEO,
    UNKNOWN_LANGUAGE,
    UNTRIMMED,
    Captions,
    Publication,
    load_publication,
    sent_of,
)
from leap_pipeline.services.thumbnails import add_thumbnail
from leap_pipeline.storage.paths import RecordingPaths
from tests.support.bench import Bench

Y, V = Platform.YOUTUBE, Platform.VK
NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
TIMELINE = {"duration": 5400.0, "keep": [[10.0, 2000.0], [2100.5, 5390.0]], "no_speech": False}
TOPICS = [
    {"topic": "Введение", "start": 0.0, "end": 700.0},
    {"topic": "Градиентный спуск", "start": 700.0, "end": 5000.0},
    {"topic": "Вопросы", "start": 5000.0, "end": 5279.5},
]


def preset(bench: Bench, platform: Platform, name: str, **metadata: Any) -> int:
    with bench.database.tenant(bench.user_id) as session:
        account = UserCredential(
            user_id=bench.user_id,
            platform=platform.lower(),
            account_name=name,
            encrypted_data="sealed",
        )
        session.add(account)
        session.flush()
        row = OutputPreset(
            user_id=bench.user_id,
            name=name,
            platform=platform,
            credential_id=account.id,
            preset_metadata=metadata,
        )
        session.add(row)
        session.flush()
        return row.id


def stage(bench: Bench, number: int, kind: Stage, status: str, meta: Any = None) -> None:
    with bench.database.tenant(bench.user_id) as session:
        session.execute(
            update(ProcessingStage)
            .where(ProcessingStage.recording_id == number, ProcessingStage.stage_type == kind)
            .values(status=status, stage_meta=meta)
        )


def prepared(bench: Bench, **columns: Any) -> int:
    """A lecture that is trimmed, transcribed, chaptered and subtitled."""
    number = bench.recording(
        display_name="ML, лекция 7",
        start_time=datetime(2026, 11, 19, 21, 30, tzinfo=UTC),
        duration=5400,
        **columns,
    )
    paths = RecordingPaths(bench.slug, number)
    bench.set(
        number,
        local_video_path=paths.source(),
        processed_video_path=paths.video,
        transcription_info={"language": "ru", "words": 9000},
        topic_timestamps=TOPICS,
        main_topics=["Градиентный спуск"],
    )
    stage(bench, number, Stage.TRIM, "COMPLETED", {"timeline": TIMELINE})
    stage(bench, number, Stage.GENERATE_SUBTITLES, "COMPLETED", {"cues": 3})
    srt = bench.storage.path(paths.srt)
    srt.parent.mkdir(parents=True)
    srt.write_text("1\n00:00:00,000 --> 00:00:02,000\nДобрый день\n")
    return number


def load(bench: Bench, number: int, platform: Platform = Y) -> Publication:
    with bench.database.tenant(bench.user_id) as session:
        return load_publication(session, bench.storage, number, platform, NOW)


def preview(bench: Bench, number: int, platform: Platform = Y) -> Preview:
    with bench.database.tenant(bench.user_id) as session:
        return load_preview(session, bench.storage, number, platform, NOW)


def picture(bench: Bench, name: str, colour: str = "red", **given: Any) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 360), colour).save(buffer, "PNG")
    add_thumbnail(
        bench.database, bench.storage, bench.user_id, name, buffer.getvalue(), actor=SYSTEM,
        at=NOW, **given,
    )  # fmt: skip


@pytest.fixture
def lecture(bench: Bench) -> int:
    """One that is configured on every level, and goes to both platforms."""
    both = [
        preset(bench, Y, "Channel", privacy="unlisted", playlist_id="PL12", tags=["of preset"]),
        preset(bench, V, "Group", group_id=7, album_id="63", privacy_view=0),
    ]
    template = bench.template(
        None,
        name="Course",
        metadata_config={
            "title_template": "{themes} | {record_time:DD.MM.YYYY}",
            "description_template": "{topics}\\n\\nДлительность: {duration}, {publish_time:date}",
            "thumbnail_name": "lecture.png",
            "tags": ["ML"],
            "vk": {"title_template": "{display_name}"},
        },
        output_config={"preset_ids": both},
    )
    with bench.database.system() as session:
        session.execute(
            update(User).where(User.id == bench.user_id).values(timezone="Europe/Moscow")
        )
    return prepared(bench, template_id=template)


def test_all_of_a_trimmed_lecture(bench: Bench, lecture: int) -> None:
    found = load(bench, lecture)
    paths = RecordingPaths(bench.slug, lecture)
    assert found.texts.title == "Градиентный спуск | 20.11.2026"
    assert found.texts.description == (
        "1. 00:00:00 — Введение\n2. 00:11:40 — Градиентный спуск\n3. 01:23:20 — Вопросы\n\n"
        "Длительность: 1:27:59, 21.11.2026"
    )
    assert (found.texts.tags, found.texts.notes, found.remarks) == (("ML",), (), ())
    assert isinstance(found.settings, YouTubeMetadata)
    assert (found.settings.privacy, found.settings.playlist_id) == ("unlisted", "PL12")
    assert (found.video, found.seconds) == (paths.video, 5279.5)
    assert found.thumbnail == "shared/thumbnails/lecture.png"
    assert found.captions == Captions(paths.srt, "ru")
    assert (found.recording_id, found.platform, found.preset_name) == (lecture, Y, "Channel")
    with bench.database.tenant(bench.user_id) as session:
        row = session.get_one(OutputPreset, found.preset_id)
        assert (row.name, row.credential_id) == ("Channel", found.credential_id)


def test_the_other_platform_has_its_own_block_and_preset(bench: Bench, lecture: int) -> None:
    found = load(bench, lecture, V)
    assert found.texts.title == "ML, лекция 7"
    assert found.texts.tags == ()
    assert isinstance(found.settings, VkMetadata)
    assert (found.settings.group_id, found.preset_name) == (7, "Group")
    assert sent_of(found).settings == {"no_comments": 0, "repeat": 0, "wallpost": 0, "group_id": 7}


def test_a_recording_s_own_word_comes_last(bench: Bench, lecture: int) -> None:
    own = {"title_template": "Мой", "thumbnail_name": "own.png", "upload_captions": False}
    bench.configure(lecture, metadata_config={**own, "youtube": {"privacy": "public"}})
    found = load(bench, lecture)
    assert found.texts.title == "Мой"
    assert (found.thumbnail_name, found.thumbnail, found.captions) == ("own.png", None, None)
    assert found.remarks == (
        "There is no picture own.png: it is published without a thumbnail.",
    )  # fmt: skip
    assert sent_of(found).settings["privacyStatus"] == "public"
    picture(bench, "own.png")
    assert load(bench, lecture).thumbnail == f"users/user_{bench.slug:06d}/thumbnails/own.png"


def test_without_a_preset_and_results_it_says_what_it_can(bench: Bench) -> None:
    number = bench.recording(display_name="Новая", local_video_path="users/a/source.mp4")
    found = load(bench, number)
    assert (found.preset_id, found.preset_name, found.credential_id) == (None, None, None)
    assert (found.texts.title, found.texts.description) == ("Новая", "")
    assert (found.video, found.seconds) == (None, 90.0)
    assert found.remarks == (UNTRIMMED, NO_SUBTITLES)
    assert load(bench, bench.recording()).remarks == (NO_VIDEO, NO_SUBTITLES)


def test_what_is_not_to_be_trimmed_is_published_raw(bench: Bench) -> None:
    number = bench.recording(local_video_path="users/a/source.mp4", duration=90)
    stage(bench, number, Stage.TRIM, "SKIPPED")
    found = load(bench, number)
    assert (found.video, found.seconds) == ("users/a/source.mp4", 90.0)
    assert found.remarks == (NO_SUBTITLES,)


def test_how_long_it_was_heard_counts_more_than_what_its_source_announced(bench: Bench) -> None:
    number = bench.recording(local_video_path="users/a/source.mp4", duration=5400)
    bench.set(number, transcription_info={"language": "ru", "duration": 5371.25})
    assert load(bench, number).seconds == 5400.0  # of an earlier transcript, of another cut
    stage(bench, number, Stage.TRANSCRIBE, "COMPLETED")
    assert load(bench, number).seconds == 5371.25


@pytest.mark.parametrize(
    ("status", "meta", "remark"),
    [
        ("PENDING", None, "the subtitles are not made yet"),
        ("FAILED", {"cues": 3}, "the subtitles are not made yet"),
        ("COMPLETED", {"cues": 0}, "nothing is said in the recording"),
        ("SKIPPED", None, None),
    ],
)
def test_captions_that_cannot_be_sent(
    bench: Bench, lecture: int, status: str, meta: Any, remark: str | None
) -> None:
    stage(bench, lecture, Stage.GENERATE_SUBTITLES, status, meta)
    found = load(bench, lecture)
    assert found.captions is None
    assert [each for each in found.remarks if remark and remark in each] == list(found.remarks)
    assert bool(found.remarks) is bool(remark)


def test_captions_whose_file_or_language_is_gone(bench: Bench, lecture: int) -> None:
    bench.set(lecture, transcription_info=None)
    assert load(bench, lecture).remarks == (UNKNOWN_LANGUAGE,)
    bench.configure(lecture, transcription={"language": "en"})
    found = load(bench, lecture).captions
    assert found is not None
    assert found.language == "en"
    bench.storage.remove(found.path)
    gone = load(bench, lecture)
    assert gone.captions is None
    assert "force GENERATE_SUBTITLES" in gone.remarks[0]


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ({"metadata_config": {"titel_template": "x"}}, "did you mean `title_template`"),
        ({"metadata_config": {"title_template": "{topcs}"}}, "unknown variable {topcs}"),
        ({"metadata_config": {"thumbnail_name": "../a.png"}}, "leave out the folders"),
    ],
)
def test_what_is_configured_wrong_is_told(
    bench: Bench, lecture: int, blocks: dict[str, Any], sentence: str
) -> None:
    bench.configure(lecture, **blocks)
    with pytest.raises(InputError, match=sentence):
        load(bench, lecture)


def test_a_recording_that_is_not_there(bench: Bench, lecture: int) -> None:
    with pytest.raises(InputError, match="There is no recording"):
        load(bench, lecture + 1000)


def publish(bench: Bench, number: int, shown: Preview, at: datetime) -> int:
    """Rows as an upload leaves them; the target."""
    with bench.database.tenant(bench.user_id) as session:
        sent = shown.sent.model_dump(mode="json", exclude_unset=True)
        target = OutputTarget(
            recording_id=number, user_id=bench.user_id, target_type=Y, status="UPLOADED",
            uploaded_at=at + timedelta(minutes=9),
            target_meta={"video_id": "abc", "url": "https://youtu.be/abc", "sent": sent},
        )  # fmt: skip
        session.add(target)
        session.flush()
        session.add(
            UploadSession(
                user_id=bench.user_id, target_id=target.id, marker="m", bytes=1, sha256="0",
                state="uploaded", sent=sent, opened_at=at,
            )
        )  # fmt: skip
        for (kind, name), digest in digests(bench.storage, shown.publication).items():
            session.add(
                TargetStep(
                    user_id=bench.user_id, target_id=target.id, kind=kind, name=name,
                    state="done", wanted=digest, done=digest,
                )
            )  # fmt: skip
        return target.id


def test_a_preview_tells_what_an_update_would_change(bench: Bench, lecture: int) -> None:
    first = preview(bench, lecture)
    assert first.there is None
    assert first.sent.title == "Градиентный спуск | 20.11.2026"
    publish(bench, lecture, first, NOW)

    with bench.database.tenant(bench.user_id) as session:
        later = load_preview(
            session, bench.storage, lecture, Y, NOW + timedelta(days=30)
        ).there  # fmt: skip
    assert later is not None
    # The day of publishing in the description stays that of the upload.
    assert (later.url, later.changes, later.beside) == ("https://youtu.be/abc", (), ())

    with bench.database.tenant(bench.user_id) as session:
        captions = update(TargetStep).where(TargetStep.kind == "captions")
        session.execute(captions.values(state="failed", done=None))
    failed = preview(bench, lecture).there
    assert failed is not None
    assert failed.beside == ("captions (ru)",)
    with bench.database.tenant(bench.user_id) as session:
        session.execute(captions.values(state="skipped"))  # the platform takes none
    skipped = preview(bench, lecture).there
    assert skipped is not None
    assert skipped.beside == ()

    picture(bench, "lecture.png")
    bench.configure(
        lecture,
        metadata_config={"youtube": {"privacy": "public", "tags": ["AI"], "playlist_id": "PL99"}},
    )
    srt = bench.storage.path(RecordingPaths(bench.slug, lecture).srt)
    srt.write_text(srt.read_text().replace("Добрый", "Бодрый"))
    found = preview(bench, lecture).there
    assert found is not None
    changed = {each.field: (each.before, each.after) for each in found.changes}
    assert changed == {
        "tags": (("ML",), ("AI",)),
        "settings.privacyStatus": ("unlisted", "public"),
    }
    assert found.beside == ("thumbnail", "collection", "captions (ru)")
    assert found.left == ("PL12",)


def test_notes_of_texts_and_of_all_else_are_told_together(bench: Bench, lecture: int) -> None:
    bench.configure(
        lecture, metadata_config={"title_template": "a<b {themes}", "thumbnail_name": "no.png"}
    )
    assert preview(bench, lecture).notes == (
        "title: < became ‹, as YouTube takes no such sign.",
        "There is no picture no.png: it is published without a thumbnail.",
    )
