"""Generated Zoom accounts are lived through, and what is recorded is the truth.

A failure names its seed: with ZOOM_SEED=17 ZOOM_LIVES=1 in the environment this file
lives that life alone; `make bench-zoom-truth` lives thousands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import TestServer, urls_of
from tests.support.zoom.lives import make_life
from tests.support.zoom.living import MortalDatabase, live_all, lives_settings
from tests.support.zoom.truth import differences

FIRST = int(os.environ.get("ZOOM_SEED", "0"))
LIVES = int(os.environ.get("ZOOM_LIVES", "100"))


@pytest.fixture(scope="module")
def mortal(postgres_server: TestServer) -> Iterator[MortalDatabase]:
    with postgres_server.database() as url:
        opened = MortalDatabase(urls_of(url))
        yield opened
        opened.dispose()


@pytest.mark.timeout(900)  # seconds alone, minutes beside much else
def test_nothing_is_missed_doubled_or_stuck(mortal: MortalDatabase, tmp_path: Path) -> None:
    wrong, rows, mishaps = [], 0, 0
    for lived in live_all(mortal, lives_settings(tmp_path), range(FIRST, FIRST + LIVES)):
        rows += lived.rows
        mishaps += sum(lived.errors.values())
        wrong += [f"seed {lived.seed}: {each}" for each in lived.differences]
        wrong += [f"seed {lived.seed}: refused: {each}" for each in lived.refused]
    assert not wrong, "\n".join(wrong)
    assert rows > LIVES
    assert mishaps > LIVES / 4, "the lives were too quiet to show anything"


def test_a_life_is_the_same_each_time() -> None:
    one, other = make_life(FIRST), make_life(FIRST)
    assert one.polls == other.polls
    assert one.fake.world.meetings == other.fake.world.meetings


def test_the_comparison_sees_what_is_missed() -> None:
    life = make_life(FIRST)
    found = differences(life, [], seen={1}, history_days=30)
    assert {each.kind for each in found} == {"missed"}
    assert len(found) > 1
