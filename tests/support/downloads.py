"""A tenant's Zoom recording with a real video, downloaded over real sockets from the fake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leap_pipeline.domain.planner import Asset
from leap_pipeline.errors import Superseded
from leap_pipeline.services.raw_video import RawVideo, fetched_video
from leap_pipeline.services.work import Work
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.sources.http_file import Tuning
from leap_pipeline.storage.local import LocalStorage
from tests.support.synced import Synced
from tests.support.zoom.content import Content
from tests.support.zoom.world import File, Meeting

PIECE = 64 * 1024
TUNING = Tuning(
    private_addresses=True,
    connections=2,
    first_piece=PIECE,
    least_piece=PIECE,
    most_piece=PIECE,
    note_bytes=PIECE,
    read_seconds=1.0,
    patience=3.0,
    measure_seconds=0.1,
    longest_backoff=0.02,
)


def padded(clip: Path, size: int, seed: int = 1) -> bytes:
    """A video that opens, made larger by a box of noise that players pass over."""
    data = clip.read_bytes()
    noise = random.Random(seed).randbytes(size - len(data) - 8)
    return data + (len(noise) + 8).to_bytes(4, "big") + b"free" + noise


@dataclass
class Download:
    """One recording of `synced`, whose `file` at Zoom the tests change and delete."""

    synced: Synced
    meeting: Meeting
    recording_id: int
    told: list[str] = field(default_factory=list)

    @property
    def file(self) -> File:
        return self.meeting.files[0]

    @property
    def partials(self) -> list[str]:
        return self.synced.bench.storage.partials()

    @contextmanager
    def work(self) -> Iterator[Work]:
        """A worker that holds the recording, and ends as an asset's worker does."""
        work = self.synced.bench.start(self.recording_id)
        try:
            yield work
        finally:
            work.close()

    def bring(self, work: Work, accounts: ZoomAccounts | None = None, **tuned: Any) -> RawVideo:
        return fetched_video(
            work,
            accounts or self.synced.accounts,
            self.synced.settings,
            self.told.append,
            tuning=TUNING if not tuned else Tuning(**{**vars(TUNING), **tuned}),
        )

    def attempt(self, **tuned: Any) -> RawVideo:
        """A worker that ends before anything is put in place."""
        with self.work() as work:
            work.begin(Asset.RAW_VIDEO)
            return self.bring(work, **tuned)

    def run(self, **tuned: Any) -> RawVideo:
        """From the claim to the file in its place."""
        with self.work() as work:
            begun = work.begin(Asset.RAW_VIDEO)
            raw = self.bring(work, **tuned)
            with raw.held:
                columns = {
                    "local_video_path": raw.stored_path,
                    "video_file_size": raw.info.size,
                }
                work.complete(Asset.RAW_VIDEO, begun, raw.artifacts, columns=columns)
        return raw

    def stored(self) -> bytes:
        path = self.synced.bench.row(self.recording_id).local_video_path
        return self.synced.bench.storage.fetch(path or "").read_bytes()


def recorded(synced: Synced, data: bytes, **values: Any) -> Meeting:
    """A meeting with one view of these bytes."""
    meeting = synced.fake.add_recording(synced.host, content=Content.of(data), **values)
    assert len(meeting.files) == 1
    return meeting


def left(storage: LocalStorage, name: str) -> None:
    """An unfinished file whose worker died."""
    with suppress(Superseded), storage.partial(name) as unfinished:
        unfinished.note()
        raise Superseded
