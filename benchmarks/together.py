"""Uploads that a platform turns away together: when they come back. No network, the clock is moved.

    python -m benchmarks.together [--uploads 50] [--rounds 200]

`in a call`: HTTP 429 is tried again within the call, with and without a Retry-After. `in a run`:
the platform wants to be left alone for longer, so the upload waits in the database. `after the
reset`: YouTube's quota is used up. Pairs that come back within the same second are counted, beside
the number that chance gives over the same stretch of time. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx

from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import Platform, UploadState
from leap_pipeline.domain.youtube_quota import back_at, next_reset
from leap_pipeline.errors import MustWaitError
from leap_pipeline.publishing.uploader import Upload, VideoFile
from leap_pipeline.services.publishing import Publishing
from leap_pipeline.services.upload_rows import StoredUpload
from leap_pipeline.web.calls import APART_SECONDS, Calls

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILE, SENT = VideoFile(Path("lecture.mp4"), 1, "0" * 64, 1.0), Sent(title="Lecture")
PLANNED = StoredUpload(
    state=UploadState.PLANNED,
    upload=Upload("marker", 1, None, None, None),
    sha256=FILE.sha256,
    sent=SENT,
    closing_at=None,
    absences=0,
    absent_at=None,
    failures=0,
    credential_id=1,
)
MOST_OVER_CHANCE = 1.1
TOGETHER = 0.05
"""Seconds within which all of them coming back is called together, whatever chance says."""


@dataclass
class Clock:
    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def in_a_call(headers: Mapping[str, str]) -> datetime:
    """When the second try goes out of a call whose first one got HTTP 429."""
    clock, tries = Clock(), list[datetime]()

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(clock())
        return httpx.Response(200 if len(tries) > 1 else 429, headers=headers, request=request)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        calls = Calls(http, "YouTube", apart=APART_SECONDS, clock=clock, sleep=clock.sleep)
        calls.send(httpx.Request("POST", "https://youtube.example/"), calls.budget())
    return tries[1]


class TurnedAway:
    """A target of which only the intent is stored, and an account that is to be left alone."""

    platform = Platform.YOUTUBE

    def read(self) -> StoredUpload:
        return PLANNED

    def open(self, *_: object) -> None:
        msg = "YouTube wants fewer requests (HTTP 429)."
        raise MustWaitError(msg, BEGIN + timedelta(minutes=10))


def in_a_run() -> datetime:
    """When an upload goes on that may not be begun for ten minutes."""
    it = cast("Any", TurnedAway())
    try:
        Publishing(it, it, it, now=lambda: BEGIN).upload(FILE, SENT, 1, lambda _: None)
    except MustWaitError as wait:
        return wait.due_at
    msg = "The upload went on."
    raise AssertionError(msg)


def after_the_reset() -> datetime:
    """When a call is made again for which today's quota has no more room."""
    return back_at(next_reset(BEGIN), random.uniform)


def measured(come_back: Callable[[], datetime], uploads: int, rounds: int) -> dict[str, float]:
    """Of so many at once, so many times: pairs in the same second, and by chance alone."""
    every = [
        sorted((come_back() - BEGIN).total_seconds() for _ in range(uploads)) for _ in range(rounds)
    ]
    first, last = min(map(min, every)), max(map(max, every))
    stretch = last - first
    pairs = sum(
        later - earlier < 1 for each in every for earlier, later in itertools.combinations(each, 2)
    )
    near = min(1.0, stretch and 1 / stretch)
    chance = 2 * near - near * near if stretch > 0 else 0.0
    return {
        "first_after_seconds": round(first, 1),
        "stretch_seconds": round(stretch, 1),
        "pairs_within_a_second": round(pairs / rounds, 2),
        "by_chance": round(chance * uploads * (uploads - 1) / 2, 2),
        "most_in_a_second": max(max(Counter(map(int, each)).values()) for each in every),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    ways: dict[str, Callable[[], datetime]] = {
        "in a call, without Retry-After": lambda: in_a_call({}),
        "in a call, Retry-After: 5": lambda: in_a_call({"Retry-After": "5"}),
        "in a run": in_a_run,
        "after the reset": after_the_reset,
    }
    found = {name: measured(way, given.uploads, given.rounds) for name, way in ways.items()}
    sys.stdout.write(json.dumps({"uploads": given.uploads, **found}, indent=2) + "\n")
    for name, each in found.items():
        assert each["stretch_seconds"] > TOGETHER, f"{name}: they all come back together"
        most = each["by_chance"] * MOST_OVER_CHANCE
        assert each["pairs_within_a_second"] <= most, f"{name}: more together than by chance"


if __name__ == "__main__":
    main()
