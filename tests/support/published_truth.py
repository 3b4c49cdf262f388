"""What the platforms have, against what the database says: nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from leap_pipeline.domain.states import Platform, StepState, TargetStatus
from tests.support.studio import Studio, V, Y
from tests.support.studio_fakes import Fakes

DOUBLED, LOST, STUCK, WRONG = "doubled", "lost", "stuck", "wrong"


@dataclass(frozen=True)
class There:
    """A whole video at a platform; `collected` is how often its playlist or album has it."""

    name: str
    sha256: str
    picture: bool
    tracks: int
    collected: int


@dataclass(frozen=True)
class Difference:
    kind: str
    what: str


def at_platform(fakes: Fakes, platform: Platform) -> list[There]:
    """All that a viewer of the account may see."""
    if platform is Y:
        entries = [video for _, video, _ in fakes.playlist.entries]
        return [
            There(
                each.id,
                each.sha256,
                each.picture is not None,
                len(each.tracks),
                entries.count(each.id),
            )
            for each in fakes.youtube.videos()
        ]
    return [
        There(
            each.name,
            each.content.sha256,
            each.thumb is not None,
            0,
            fakes.album.videos.count(each.name),
        )
        for each in fakes.vk.world.whole()
        if each.content is not None
    ]


def differences(studio: Studio, platform: Platform, there: Sequence[There]) -> list[Difference]:
    """Between the recording and the videos that were made for it; empty is as it must be."""
    target = studio.bench.target_row(studio.recording, platform)
    found = []
    if target.status != TargetStatus.UPLOADED:
        run = studio.bench.run(studio.recording)
        found.append(Difference(STUCK, f"{target.status}, its run {run.state}: {run.reason}"))
    if len(there) > 1:
        found.append(Difference(DOUBLED, ", ".join(each.name for each in there)))
    if not there:
        return [*found, Difference(LOST, "nothing is there")]
    meta = target.target_meta or {}
    name = str(meta.get("video_id"))
    stored = f"{meta.get('owner_id')}_{name}" if platform is V else name
    if stored not in [each.name for each in there]:
        found.append(Difference(LOST, f"the database says {stored}"))
    return found + [
        Difference(WRONG, what)
        for what in [*_of_video(studio, there[0]), *_of_steps(studio, platform, there[0])]
    ]


def _of_video(studio: Studio, there: There) -> list[str]:
    wanted = hashlib.sha256(studio.bench.storage.path(studio.paths.video).read_bytes()).hexdigest()
    return [] if there.sha256 == wanted else ["the video is not the file"]


def _of_steps(studio: Studio, platform: Platform, there: There) -> list[str]:
    steps = studio.steps(platform)
    found = [
        f"{kind} is {row.state}: {row.reason}"
        for kind, row in steps.items()
        if row.state != StepState.DONE and (platform, kind) != (V, "captions")
    ]
    if sorted(steps) != ["captions", "collection", "listing", "thumbnail"]:
        found.append(f"the steps are {sorted(steps)}")
    wanted = There(there.name, there.sha256, True, 1 if platform is Y else 0, 1)
    return found if there == wanted else [*found, f"beside the video is {there}"]
