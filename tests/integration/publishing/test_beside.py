"""What stands beside a video, what waits for quota, and what a person does about it later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update as sql_update

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.domain.states import Phase, Platform, UploadState
from leap_pipeline.errors import AlreadyRunning, UserActionError
from leap_pipeline.publishing.uploader import Video
from leap_pipeline.services import published
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.targets import request_publishing
from tests.support.published_truth import at_platform, differences
from tests.support.studio import SRT, V, Y
from tests.support.studio_fakes import Fakes
from tests.support.vk import faults as vk_faults
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])
EDITOR = Editor(SYSTEM, Rights())
WRITES = frozenset(
    {
        "videos.insert",
        "videos.update",
        "thumbnails.set",
        "captions.insert",
        "captions.update",
        "playlistItems.insert",
        "session.put",
        "video.save",
        "upload",
        "video.edit",
        "video.addToAlbum",
        "thumb",
    }
)


def written(fakes: Fakes, platform: Platform, since: int = 0) -> list[str]:
    """The calls that change something, in order."""
    if platform is Y:
        calls = [each.call for each in fakes.youtube.ledger.entries[since:]]
    else:
        calls = [each.route for each in fakes.vk.ledger.entries[since:]]
    return [each for each in calls if each in WRITES]


def states(fakes: Fakes, platform: Platform) -> dict[str, str]:
    return {kind: row.state for kind, row in fakes.studio.steps(platform).items()}


def update(fakes: Fakes, platform: Platform) -> str:
    with fakes.studio.database.system() as session:
        published.request_update(session, fakes.studio.recording, platform, EDITOR)
    return fakes.publish(platform).state


def send_again(fakes: Fakes, platform: Platform) -> str:
    fakes.studio.request(platform)
    return fakes.publish(platform).state


def configure(fakes: Fakes, **metadata: Any) -> None:
    fakes.studio.bench.configure(fakes.studio.recording, metadata_config=metadata)


def retract(fakes: Fakes, platform: Platform) -> None:
    studio = fakes.studio
    with studio.accounts() as accounts:
        user, credential = studio.bench.user_id, studio.credentials[platform]
        published.retract(
            studio.database,
            accounts.publisher(user, credential, platform),
            user,
            studio.recording,
            platform,
            EDITOR,
            "a mistake",
        )


@pytest.mark.parametrize(
    ("platform", "fault", "step", "by_update"),
    [
        (
            Y,
            youtube_faults.refusal("thumbnails.set", status=403, reason="forbidden"),
            "thumbnail",
            False,
        ),
        (
            Y,
            youtube_faults.refusal("captions.insert", status=403, reason="forbidden"),
            "captions",
            True,
        ),
        (
            Y,
            youtube_faults.refusal(
                "playlistItems.insert", status=403, reason="playlistItemsNotAccessible"
            ),
            "collection",
            False,
        ),
        (V, vk_faults.refusal("video.saveUploadedThumb", code=204), "thumbnail", True),
        (V, vk_faults.refusal("video.addToAlbum", code=204), "collection", False),
    ],
)
def test_a_step_that_is_refused_stops_no_other(
    fakes: Fakes, platform: Platform, fault: Any, step: str, by_update: bool
) -> None:
    (fakes.youtube if platform is Y else fakes.vk).fail(fault)
    assert fakes.publish(platform).state == "done"
    left_out = {"captions"} if platform is V else set()
    found = states(fakes, platform)
    assert found.pop(step) == "failed"
    assert {kind for kind, state in found.items() if state != "done"} == left_out
    row = fakes.studio.steps(platform)[step]
    assert re.fullmatch(r"[A-Z].*\.", row.reason or ""), row.reason
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[platform] == "UPLOADED"

    before = fakes.requests(platform)
    again_by = update if by_update else send_again
    assert again_by(fakes, platform) == "done"
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []
    again = written(fakes, platform, before)
    assert not {"videos.insert", "session.put", "video.save", "upload"} & set(again)
    assert len(again) == 1


@BOTH
def test_an_update_with_nothing_new_writes_nothing(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    before = fakes.requests(platform)
    assert update(fakes, platform) == "done"
    assert written(fakes, platform, before) == []
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []


@BOTH
def test_an_update_changes_what_is_configured_now(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    there = fakes.video(platform)
    configure(
        fakes,
        title_template="Другое: {display_name}",
        youtube={"privacy": "public"},
        vk={"privacy_view": 0},
    )
    srt = fakes.studio.bench.storage.path(fakes.studio.paths.srt)
    srt.write_text(SRT.replace("Добрый", "Бодрый"), "utf-8")
    before = fakes.requests(platform)
    assert update(fakes, platform) == "done"
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []
    row = fakes.studio.upload(platform)
    assert row is not None
    if platform is Y:
        assert written(fakes, platform, before) == ["videos.update", "captions.update"]
        assert there.snippet["title"] == "Другое: Лекция 0"
        assert there.status["privacyStatus"] == "public"
        assert f"leap-{row.marker}" in there.snippet["tags"]
        assert "Бодрый" in there.tracks[0].content.decode()
    else:
        assert written(fakes, platform, before) == ["video.edit"]
        assert there.title == "Другое: Лекция 0"
        assert there.settings["privacy_view"] == ["all"]


@BOTH
def test_who_may_not_change_what_is_published(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    nobody = Editor(
        SYSTEM, Rights(permissions=frozenset(Permission) - {Permission.UPDATE_UPLOADED_VIDEOS})
    )
    with fakes.studio.database.system() as session, pytest.raises(UserActionError):
        published.request_update(session, fakes.studio.recording, platform, nobody)


@pytest.mark.parametrize("by_update", [True, False])
def test_what_the_plan_leaves_out_leaves_nothing_pending(fakes: Fakes, by_update: bool) -> None:
    fakes.youtube.fail(youtube_faults.refusal("thumbnails.set", status=403, reason="forbidden"))
    fakes.publish(Y)
    before = states(fakes, Y)
    assert before["thumbnail"] == "failed"
    fakes.studio.bench.permit(can_upload=False)
    with fakes.studio.database.system() as session:
        number = fakes.studio.recording
        if by_update:
            asked = published.request_update(session, number, Y, EDITOR)
        else:
            found = request_publishing(session, number, requested_by="test", platforms=[Y])
            asked = found.requested[Y]
        assert asked.run_id is None
    assert states(fakes, Y) == before


@BOTH
def test_what_is_retracted_may_be_published_again(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    row = fakes.studio.upload(platform)
    retract(fakes, platform)
    assert fakes.videos(platform) == []
    assert fakes.studio.upload(platform) is None
    target = fakes.studio.bench.target_row(fakes.studio.recording, platform)
    assert (target.status, target.uploaded_at) == ("NOT_UPLOADED", None)
    assert (target.target_meta or {})["history"][0]["reason"] == "a mistake"
    with pytest.raises(UserActionError, match="is not published"):
        retract(fakes, platform)

    assert fakes.publish(platform).state == "done"
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []
    again = fakes.studio.upload(platform)
    assert row is not None
    assert again is not None
    assert again.marker != row.marker


def test_nothing_is_retracted_while_a_worker_is_at_it(fakes: Fakes) -> None:
    fakes.publish(Y)
    with fakes.studio.database.system() as session:
        published.request_update(session, fakes.studio.recording, Y, EDITOR)
    work = fakes.studio.bench.claim(fakes.studio.recording, phase=Phase.PUBLISH, platform=Y)
    try:
        with pytest.raises(AlreadyRunning, match="goes on"):
            retract(fakes, Y)
    finally:
        work.close()
    assert len(fakes.youtube.videos()) == 1


def doubtful(fakes: Fakes) -> str:
    """The video of an upload that a person has to decide on."""
    fakes.youtube.fail(youtube_faults.gone_after(after=5))
    fakes.youtube.world.lag = timedelta(minutes=1)
    assert fakes.publish(Y).state == "waiting"
    fakes.studio.use(Y, fakes.studio.account(Y, fakes.token(Y), "another"))
    assert fakes.publish(Y).published is None
    (video,) = fakes.youtube.videos()
    with pytest.raises(UserActionError, match="held as a doubtful upload"):
        fakes.studio.request(Y)
    return video.id


def settle(fakes: Fakes, video: Video | None) -> None:
    with fakes.studio.database.system() as session:
        published.settle_doubt(session, fakes.studio.recording, Y, video, fakes.clock(), EDITOR)
    assert fakes.studio.holds() == []


def test_a_person_says_which_video_it_is(fakes: Fakes) -> None:
    found = doubtful(fakes)
    with fakes.studio.accounts() as accounts:
        video = accounts.known_video(
            fakes.studio.bench.user_id, fakes.studio.credentials[Y], Y, found
        )
    settle(fakes, video)
    before = fakes.requests(Y)
    assert fakes.publish(Y).state == "done"
    assert differences(fakes.studio, Y, at_platform(fakes, Y)) == []
    assert not {"videos.insert", "session.put"} & set(written(fakes, Y, before))


def test_a_person_says_that_there_is_none(fakes: Fakes) -> None:
    fakes.youtube.world.videos[doubtful(fakes)].deleted = True
    row = fakes.studio.upload(Y)
    with fakes.studio.database.system() as session:
        told = {"uploaded_at": fakes.clock(), "next_look_at": fakes.clock(), "looks": 3}
        session.execute(sql_update(UploadSession).values(**told, processing="gone"))
    settle(fakes, None)
    again = fakes.studio.upload(Y)
    assert row is not None
    assert again is not None
    assert (again.state, again.session, again.absences) == (UploadState.PLANNED, None, 0)
    assert again.marker != row.marker
    assert (again.uploaded_at, again.next_look_at, again.processing) == (None, None, None)
    assert again.looks == 0
    assert fakes.publish_until_done(Y).state == "done"
    assert differences(fakes.studio, Y, at_platform(fakes, Y)) == []


def test_nothing_is_settled_where_there_is_no_doubt(fakes: Fakes) -> None:
    with pytest.raises(UserActionError, match="no doubt about the YouTube upload"):
        settle(fakes, None)


@pytest.mark.parametrize("left", [{"inserts": 0}, {"units": 0}, {"units": 60}])
def test_what_google_refuses_today_goes_on_tomorrow(fakes: Fakes, left: Mapping[str, int]) -> None:
    for name, amount in left.items():
        setattr(fakes.youtube.project(), name, amount)
    first = fakes.publish(Y)
    assert first.state == "waiting", first
    assert re.search("quota|units", str(first.error))
    assert timedelta() < first.due_at - fakes.clock() < timedelta(hours=27)
    there = len(fakes.youtube.videos())
    assert there == (1 if left.get("units") else 0)
    picture = fakes.studio.bench.picture(fakes.studio.recording)
    assert picture.targets[Y] == ("UPLOADED" if there else "UPLOADING")
    assert fakes.publish(V).state == "done"  # the other platform goes on

    fakes.youtube.project().inserts, fakes.youtube.project().units = 100, 10_000
    fakes.clock.set(first.due_at)
    assert fakes.publish(Y).state == "done"
    assert differences(fakes.studio, Y, at_platform(fakes, Y)) == []


@BOTH
def test_a_run_that_waits_says_when_and_why(fakes: Fakes, platform: Platform) -> None:
    if platform is Y:
        fakes.youtube.fail(youtube_faults.refusal("videos.insert", status=503, times=None))
    else:
        fakes.vk.fail(vk_faults.server_error("video.save", times=None))
    first = fakes.publish(platform)
    run: RecordingRun = fakes.studio.bench.run(fakes.studio.recording)
    assert (first.state, run.due_at) == ("waiting", first.due_at)
    assert "HTTP 503" in (run.reason or "")
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[platform] == "UPLOADING"
