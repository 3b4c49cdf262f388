"""A video moves from one playlist or album into another, whatever dies on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import lazyload

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.states import Platform
from leap_pipeline.publishing.vk.publisher import VkPublisher
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.services import published
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.preview import There, load_preview
from tests.support.studio import Died, Outcome, V, Y
from tests.support.studio_fakes import Fakes
from tests.support.vk import faults as vk_faults
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])
EDITOR = Editor(SYSTEM, Rights())
NAMES = {Y: "playlist_id", V: "album_id"}
PUT = ("playlistItems.insert", "video.addToAlbum")
TAKEN_OUT = ("playlistItems.delete", "video.removeFromAlbum")


def first(fakes: Fakes, platform: Platform) -> Any:
    return fakes.playlist if platform is Y else fakes.album


def another(fakes: Fakes, platform: Platform) -> Any:
    if platform is Y:
        return fakes.youtube.add_playlist(fakes.channel)
    return fakes.vk.world.add_album(fakes.person.id)


def choose(fakes: Fakes, platform: Platform, collection: Any | None) -> None:
    """The preset names this playlist or album now, or none."""
    metadata = {} if collection is None else {NAMES[platform]: str(collection.id)}
    with fakes.studio.database.tenant(fakes.studio.bench.user_id) as session:
        session.execute(
            update(OutputPreset)
            .where(OutputPreset.id == fakes.studio.presets[platform])
            .values(preset_metadata=metadata)
        )


def ask(fakes: Fakes, platform: Platform) -> None:
    with fakes.studio.database.system() as session:
        published.request_update(session, fakes.studio.recording, platform, EDITOR)


def change(fakes: Fakes, platform: Platform, collection: Any | None) -> Outcome:
    choose(fakes, platform, collection)
    ask(fakes, platform)
    return fakes.publish(platform)


def times_in(fakes: Fakes, platform: Platform, collection: Any) -> int:
    """How often the collection has the video."""
    video = fakes.video(platform)
    if platform is Y:
        return [each for _, each, _ in collection.entries].count(video.id)
    return int(collection.videos.count(video.name))


def known(fakes: Fakes, platform: Platform) -> dict[str, tuple[str, str | None]]:
    """What is stored of each collection: its state, and what is done."""
    target = fakes.studio.bench.target_row(fakes.studio.recording, platform)
    with fakes.studio.database.system() as session:
        rows = session.scalars(
            select(TargetStep)
            .where(TargetStep.target_id == target.id, TargetStep.kind == "collection")
            .options(lazyload("*"))
        )
        return {row.name: (row.state, row.done) for row in rows}


def moves(fakes: Fakes, platform: Platform, since: int) -> list[str]:
    """What was put in and taken out, in order."""
    if platform is Y:
        calls = [each.call for each in fakes.youtube.ledger.entries[since:]]
    else:
        calls = [each.route for each in fakes.vk.ledger.entries[since:]]
    return [each for each in calls if each in PUT + TAKEN_OUT]


def foreseen(fakes: Fakes, platform: Platform) -> There:
    studio = fakes.studio
    with studio.database.tenant(studio.bench.user_id) as session:
        shown = load_preview(
            session, studio.bench.storage, studio.recording, platform, fakes.clock()
        ).there
    assert shown is not None
    return shown


@BOTH
def test_an_update_moves_a_video(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    old, new = first(fakes, platform), another(fakes, platform)
    choose(fakes, platform, new)
    told = foreseen(fakes, platform)
    assert (told.beside, told.left) == (("collection",), (str(old.id),))
    ask(fakes, platform)
    since = fakes.requests(platform)
    assert fakes.publish(platform).state == "done"
    assert (times_in(fakes, platform, old), times_in(fakes, platform, new)) == (0, 1)
    put, taken_out = PUT[platform is V], TAKEN_OUT[platform is V]
    assert moves(fakes, platform, since) == [put, taken_out]
    assert known(fakes, platform) == {
        str(old.id): ("skipped", None),
        str(new.id): ("done", str(new.id)),
    }
    told = foreseen(fakes, platform)
    assert (told.beside, told.left) == ((), ())

    since = fakes.requests(platform)
    assert change(fakes, platform, new).state == "done"
    assert moves(fakes, platform, since) == []
    assert change(fakes, platform, old).state == "done"
    assert (times_in(fakes, platform, old), times_in(fakes, platform, new)) == (1, 0)


@BOTH
def test_a_video_that_is_to_be_in_none_is_taken_out(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    old = first(fakes, platform)
    choose(fakes, platform, None)
    fakes.studio.request(platform)  # which asks for no update
    assert known(fakes, platform) == {str(old.id): ("done", str(old.id))}
    assert change(fakes, platform, None).state == "done"
    assert times_in(fakes, platform, old) == 0
    assert known(fakes, platform) == {str(old.id): ("skipped", None)}
    assert change(fakes, platform, old).state == "done"
    assert times_in(fakes, platform, old) == 1


@pytest.mark.parametrize(("platform", "acted"), [(Y, False), (V, True)])
def test_a_worker_that_dies_in_between_is_made_up_for(
    fakes: Fakes, platform: Platform, acted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.publish(platform)
    old, new = first(fakes, platform), another(fakes, platform)
    kind: Any = YouTubePublisher if platform is Y else VkPublisher
    whole = kind.take_out

    def die(*arguments: Any) -> None:
        if acted:
            whole(*arguments)
        raise Died

    monkeypatch.setattr(kind, "take_out", die)
    with pytest.raises(Died):
        change(fakes, platform, new)
    monkeypatch.undo()
    assert times_in(fakes, platform, new) == 1
    assert fakes.publish(platform).state == "done"
    assert (times_in(fakes, platform, old), times_in(fakes, platform, new)) == (0, 1)
    states = {name: state for name, (state, _) in known(fakes, platform).items()}
    assert states == {str(old.id): "skipped", str(new.id): "done"}


@BOTH
def test_it_does_not_stay_where_a_death_hid_that_it_was_put(
    fakes: Fakes, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = YouTubePublisher if platform is Y else VkPublisher
    whole = kind.collect

    def die(*arguments: Any) -> None:
        whole(*arguments)
        raise Died

    monkeypatch.setattr(kind, "collect", die)
    with pytest.raises(Died):
        fakes.publish(platform)
    monkeypatch.undo()
    old, new = first(fakes, platform), another(fakes, platform)
    assert times_in(fakes, platform, old) == 1
    choose(fakes, platform, new)
    assert fakes.publish(platform).state == "done"
    assert (times_in(fakes, platform, old), times_in(fakes, platform, new)) == (0, 1)


@BOTH
def test_it_stays_in_the_old_one_until_the_new_one_takes_it(
    fakes: Fakes, platform: Platform
) -> None:
    fakes.publish(platform)
    old, new, better = first(fakes, platform), another(fakes, platform), another(fakes, platform)
    if platform is Y:
        refused = "playlistItemsNotAccessible"
        fakes.youtube.fail(
            youtube_faults.refusal("playlistItems.insert", status=403, reason=refused)
        )
    else:
        fakes.vk.fail(vk_faults.refusal("video.addToAlbum", code=204))
    assert change(fakes, platform, new).state == "done"
    assert (times_in(fakes, platform, old), times_in(fakes, platform, new)) == (1, 0)
    assert known(fakes, platform) == {
        str(old.id): ("done", str(old.id)),
        str(new.id): ("failed", None),
    }
    since = fakes.requests(platform)
    assert change(fakes, platform, better).state == "done"
    assert len(moves(fakes, platform, since)) == 2
    assert (times_in(fakes, platform, old), times_in(fakes, platform, better)) == (0, 1)
    states = {name: state for name, (state, _) in known(fakes, platform).items()}
    assert states == {str(old.id): "skipped", str(new.id): "skipped", str(better.id): "done"}


def test_it_stays_in_the_old_one_while_the_new_one_waits_for_quota(fakes: Fakes) -> None:
    fakes.publish(Y)
    old, new = fakes.playlist, another(fakes, Y)
    fakes.youtube.project().units = 0
    outcome = change(fakes, Y, new)
    assert outcome.state == "waiting"
    assert (times_in(fakes, Y, old), times_in(fakes, Y, new)) == (1, 0)
    fakes.youtube.project().units = 10_000
    fakes.clock.set(outcome.due_at)
    assert fakes.publish(Y).state == "done"
    assert (times_in(fakes, Y, old), times_in(fakes, Y, new)) == (0, 1)
