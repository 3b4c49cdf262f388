"""A lecture is published once, whatever goes wrong; see test_gone.py and test_kills.py as well."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from leap_pipeline.domain.states import Platform, UploadState
from leap_pipeline.errors import AlreadyRunning
from leap_pipeline.services import claim as claiming
from leap_pipeline.storage.local import LocalStorage
from tests.support.dying import FORM, assert_once, die_while_sending, is_bytes, sent
from tests.support.studio import SIZE, UNIT, Outcome, V, Y, lecture
from tests.support.studio_fakes import Fakes
from tests.support.vk import faults as vk_faults
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])


@BOTH
def test_all_of_a_lecture_gets_there(fakes: Fakes, platform: Platform) -> None:
    found = fakes.publish(platform)
    assert (found.state, found.error) == ("done", None)
    assert_once(fakes, platform)
    video, published = fakes.video(platform), found.published
    assert published is not None
    upload, target = (
        fakes.studio.upload(platform),
        fakes.studio.bench.target_row(fakes.studio.recording, platform),
    )
    assert upload is not None
    assert (upload.state, upload.session) == (UploadState.UPLOADED, None)
    assert target.target_meta is not None
    assert target.target_meta["url"] == published.video.url
    if platform is Y:
        assert video.snippet["title"] == "Лекция 0"
        assert video.snippet["description"].startswith("1. 00:00:00 — Введение")
        assert f"leap-{upload.marker}" in video.snippet["tags"]
        assert video.status["privacyStatus"] == "unlisted"
        (track,) = video.tracks
        assert (track.language, track.is_draft) == ("ru", False)
    else:
        assert (video.title, video.settings["privacy_view"]) == ("Лекция 0", ["only_me"])
        captions = fakes.studio.steps(V)["captions"]
        assert captions.state == "skipped"
        assert "takes no captions" in (captions.reason or "")
    assert sent(fakes, platform) < SIZE + FORM


@BOTH
def test_the_session_is_stored_and_sealed_before_the_first_byte(
    fakes: Fakes, platform: Platform
) -> None:
    seen: list[tuple[str, str, dict[str, Any]]] = []

    def look(request: httpx.Request) -> None:
        row = fakes.studio.upload(platform)
        if is_bytes(request):
            assert row is not None
            assert row.session is not None
            opened = fakes.studio.vault.decrypt(row.session)
            assert str(request.url) in opened.values()
            assert str(request.url) not in row.session
            seen.append((row.state, row.account or "", opened))
        else:
            before = seen or row is None or row.state == UploadState.PLANNED
            assert before, "nothing but bytes between the session and the receipt"

    fakes.network.watch = look
    assert fakes.publish(platform).state == "done"
    account = fakes.channel.id if platform is Y else str(fakes.person.id)
    assert {each[:2] for each in seen} == {("open", account)}
    assert len(seen) == (6 if platform is Y else 1)


@BOTH
def test_a_worker_that_died_half_way_is_followed_by_one_that_asks(
    fakes: Fakes, platform: Platform
) -> None:
    die_while_sending(fakes, platform, 3 if platform is Y else 1)
    before = fakes.requests(platform)
    assert fakes.publish(platform).state == "done"
    assert_once(fakes, platform)
    ledger = fakes.youtube.ledger if platform is Y else fakes.vk.ledger
    calls = [getattr(each, "call", "") or getattr(each, "route", "") for each in ledger.entries]
    asked = "session.probe" if platform is Y else "video.get"
    first_bytes = "session.put" if platform is Y else "upload"
    assert asked in calls[before : calls.index(first_bytes, before)]
    assert sent(fakes, platform) < SIZE + FORM


@BOTH
def test_a_video_whose_answer_was_lost_is_not_sent_again(fakes: Fakes, platform: Platform) -> None:
    if platform is Y:
        fakes.youtube.fail(youtube_faults.lost("session.put", after=5))
    else:
        fakes.vk.fail(vk_faults.lost("upload"))
    assert fakes.publish_until_done(platform).state == "done"
    assert_once(fakes, platform)
    assert sent(fakes, platform) < SIZE + FORM


@BOTH
def test_a_session_whose_answer_was_lost_is_opened_anew(fakes: Fakes, platform: Platform) -> None:
    if platform is Y:
        fakes.youtube.fail(youtube_faults.lost("videos.insert"))
    else:
        fakes.vk.fail(vk_faults.lost("video.save"))
    first = fakes.publish(platform)
    if platform is Y:  # a session that nobody knows costs quota, so it is not asked for at once
        assert first.state == "waiting"
    assert fakes.publish_until_done(platform).state == "done"
    assert_once(fakes, platform)


def test_two_videos_with_the_marker_wait_for_a_person(fakes: Fakes) -> None:
    fakes.youtube.fail(youtube_faults.gone_after(after=5))
    fakes.youtube.world.lag = timedelta(minutes=1)
    assert fakes.publish(Y).state == "waiting"
    (video,) = fakes.youtube.videos()
    fakes.youtube.world.videos["copy"] = replace(video, id="copy")
    fakes.later(hours=1)
    before = fakes.youtube.ledger.count("videos.insert", "session.put")
    assert fakes.publish(Y).published is None
    hold = fakes.studio.is_held(Y)
    assert hold is not None
    assert hold.kind == "doubtful_upload"
    assert "delete all but one" in hold.reason
    assert hold.facts["channel"] == fakes.channel.id
    assert sorted(hold.facts["videos"]) == sorted(
        f"https://www.youtube.com/watch?v={each}" for each in ("copy", video.id)
    )
    assert fakes.youtube.ledger.count("videos.insert", "session.put") == before
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[Y] == "NOT_UPLOADED"
    assert fakes.publish(V).state == "done"  # the other platform goes on


@BOTH
def test_another_account_in_the_preset_waits_for_a_person(fakes: Fakes, platform: Platform) -> None:
    die_while_sending(fakes, platform)
    fakes.studio.use(platform, fakes.studio.account(platform, fakes.token(platform), "another"))
    before = fakes.requests(platform)
    assert fakes.publish(platform).published is None
    hold = fakes.studio.is_held(platform)
    assert hold is not None
    assert "another" in hold.reason
    account = fakes.channel.id if platform is Y else str(fakes.person.id)
    assert hold.facts == {"account": account, "credential": fakes.studio.credentials[platform]}
    assert fakes.requests(platform) == before


@BOTH
def test_another_account_before_anything_was_asked_for_is_simply_used(
    fakes: Fakes, platform: Platform
) -> None:
    if platform is Y:
        fakes.youtube.fail(youtube_faults.refusal("videos.insert", status=503, times=None))
    else:
        fakes.vk.fail(vk_faults.server_error("video.save", times=None))
    assert fakes.publish(platform).state == "waiting"
    fakes.youtube.faults.clear()
    fakes.vk.faults.clear()
    another = fakes.studio.account(platform, fakes.token(platform), "another")
    fakes.studio.use(platform, another)
    assert fakes.publish_until_done(platform).state == "done"
    assert_once(fakes, platform)
    row = fakes.studio.upload(platform)
    assert row is not None
    assert row.credential_id == another


@BOTH
def test_a_file_that_was_made_anew_takes_the_place_of_the_old_one(
    fakes: Fakes, platform: Platform
) -> None:
    die_while_sending(fakes, platform, 3 if platform is Y else 1)
    fakes.studio.write(fakes.studio.paths.video, lecture(SIZE + 99, seed=7))
    assert fakes.publish(platform).state == "done"
    assert_once(fakes, platform)
    if platform is Y:
        assert len(fakes.youtube.ledger.did("cancelled")) == 1
    else:
        assert fakes.vk.ledger.count("video.save") == 1


@BOTH
def test_ten_workers_make_one_video(
    fakes: Fakes, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "LOCK_WAIT_SECONDS", 0.3)

    def work(_number: int) -> Outcome | None:
        try:
            return fakes.publish(platform)
        except AlreadyRunning:
            return None

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(work, range(10)))
    ended = [each for each in found if each is not None]
    assert ended
    assert {each.state for each in ended} == {"done"}
    assert_once(fakes, platform)
    assert sent(fakes, platform) < SIZE + FORM


@BOTH
def test_another_machine_goes_on_where_one_stopped(
    fakes: Fakes, platform: Platform, tmp_path: Path
) -> None:
    die_while_sending(fakes, platform, 4 if platform is Y else 1)
    studio, there = fakes.studio, tmp_path / "there"
    shutil.copytree(studio.bench.storage.root, there)
    shutil.rmtree(studio.bench.storage.root)
    moved = replace(
        studio,
        bench=replace(studio.bench, storage=LocalStorage(there)),
        settings=studio.settings.model_copy(update={"home": tmp_path / "other home"}),
    )
    fakes.studio = moved
    assert fakes.publish(platform).state == "done"
    assert_once(fakes, platform)
    assert sent(fakes, platform) < SIZE + FORM


def test_youtube_that_fails_for_long_is_sent_the_rest_later(fakes: Fakes) -> None:
    down = youtube_faults.refusal("session.put", "session.probe", status=503, after=3, times=None)
    fakes.youtube.fail(down)
    first = fakes.publish(Y)
    assert first.state == "waiting"
    assert "fails (HTTP 503)" in str(first.error)
    fakes.youtube.faults.clear()
    fakes.clock.set(first.due_at)
    assert fakes.publish(Y).state == "done"
    assert_once(fakes, Y)
    assert sent(fakes, Y) <= SIZE + (down.hits + 1) * UNIT
    kept = [each.kept for each in fakes.youtube.ledger.of("session.probe") if each.kept]
    assert kept[-1] == 3 * UNIT


def test_a_platform_that_fails_for_a_day_is_for_a_person(fakes: Fakes) -> None:
    fakes.vk.fail(vk_faults.server_error("video.save", times=None))
    began, waits = fakes.clock(), list[timedelta]()
    while (ended := fakes.publish(V)).state == "waiting":
        waits.append(ended.due_at - fakes.clock())
        fakes.clock.set(ended.due_at)
    assert ended.state == "failed"
    assert "went on for a day" in str(ended.error)
    assert timedelta(days=1) <= fakes.clock() - began <= timedelta(days=2)
    assert max(waits) >= timedelta(hours=2)
    assert len(waits) < 20

    fakes.vk.faults.clear()
    fakes.studio.request(V)
    assert fakes.publish(V).state == "done"
    assert_once(fakes, V)


def test_how_long_nobody_worked_is_no_failure(fakes: Fakes) -> None:
    die_while_sending(fakes, Y, 3)
    fakes.later(days=3)
    down = youtube_faults.refusal("session.put", "session.probe", status=503, times=None)
    fakes.youtube.fail(down)
    first = fakes.publish(Y)
    assert first.state == "waiting"
    assert first.due_at - fakes.clock() <= timedelta(minutes=9)
    fakes.youtube.faults.clear()
    assert fakes.publish_until_done(Y).state == "done"
    assert_once(fakes, Y)


def test_secrets_of_sessions_are_in_no_error(fakes: Fakes) -> None:
    die_while_sending(fakes, Y)
    row = fakes.studio.upload(Y)
    assert row is not None
    uri = fakes.studio.vault.decrypt(row.session or "")["uri"]
    fakes.youtube.fail(youtube_faults.refusal(status=503, times=None))
    ended = fakes.publish(Y)
    said = json.dumps([str(ended.error), fakes.studio.bench.run(fakes.studio.recording).reason])
    assert uri.rpartition("=")[2] not in said
