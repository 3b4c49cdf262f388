"""Every pair of states, against the moves that the design names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from leap_pipeline.domain.states import (
    DOWNLOAD_MOVES,
    LIVE_RUN_STATES,
    RUN_MOVES,
    STAGE_MOVES,
    TARGET_MOVES,
    DownloadStatus,
    RunState,
    StageStatus,
    TargetStatus,
    require_move,
    sources_of,
)
from leap_pipeline.errors import DataError, IllegalMove

Moves = Mapping[Any, Mapping[Any, str]]

ALLOWED = {
    "stage": """
        PENDING > IN_PROGRESS, PENDING > SKIPPED, IN_PROGRESS > COMPLETED, IN_PROGRESS > FAILED,
        IN_PROGRESS > PENDING, FAILED > IN_PROGRESS, FAILED > PENDING, COMPLETED > PENDING,
        SKIPPED > PENDING""",
    "target": """
        NOT_UPLOADED > UPLOADING, NOT_UPLOADED > FAILED, UPLOADING > UPLOADED, UPLOADING > FAILED,
        UPLOADING > NOT_UPLOADED, FAILED > UPLOADING, UPLOADED > UPLOADING,
        UPLOADED > NOT_UPLOADED""",
    "download": """
        PENDING_SOURCE > PENDING, PENDING > PENDING_SOURCE, PENDING > IN_PROGRESS,
        IN_PROGRESS > COMPLETED, IN_PROGRESS > FAILED, IN_PROGRESS > PENDING,
        FAILED > IN_PROGRESS, FAILED > PENDING, COMPLETED > PENDING""",
    "run": """
        queued > queued, queued > running, queued > waiting, queued > done, queued > failed,
        queued > cancelled, running > queued, running > waiting, running > done, running > failed,
        running > cancelled, waiting > queued, waiting > done, waiting > cancelled""",
}
TABLES: dict[str, tuple[type[StrEnum], Moves]] = {
    "stage": (StageStatus, STAGE_MOVES),
    "target": (TargetStatus, TARGET_MOVES),
    "download": (DownloadStatus, DOWNLOAD_MOVES),
    "run": (RunState, RUN_MOVES),
}
PAIRS = [
    pytest.param(name, current, wanted, id=f"{name}: {current} to {wanted}")
    for name, (states, _) in TABLES.items()
    for current, wanted in itertools.product(states, states)
]


@pytest.mark.parametrize(("name", "current", "wanted"), PAIRS)
def test_a_move_is_legal_exactly_where_the_design_has_it(
    name: str, current: StrEnum, wanted: StrEnum
) -> None:
    legal = {tuple(pair.strip().split(" > ")) for pair in ALLOWED[name].split(",")}
    moves = TABLES[name][1]
    assert (current in sources_of(moves, wanted)) == ((current, wanted) in legal)
    if (current, wanted) in legal:
        assert require_move("it", moves, current, wanted) == moves[current][wanted]
        return
    with pytest.raises(IllegalMove) as raised:
        require_move(f"{name} 7", moves, current, wanted)
    assert str(raised.value).startswith(f"{name} 7 cannot go from {current} to {wanted}: ")
    assert (raised.value.current, raised.value.wanted) == (current, wanted)


@pytest.mark.parametrize("name", TABLES)
def test_tables_know_every_state_and_give_every_move_its_event(name: str) -> None:
    states, moves = TABLES[name]
    assert set(moves) == set(states)
    assert all(event for targets in moves.values() for event in targets.values())


def test_the_sentence_says_from_to_and_what_is_possible() -> None:
    with pytest.raises(DataError) as raised:
        require_move(
            "stage TRIM of recording 5", STAGE_MOVES, StageStatus.COMPLETED, StageStatus.FAILED
        )
    assert str(raised.value) == (
        "stage TRIM of recording 5 cannot go from COMPLETED to FAILED: "
        "from COMPLETED it can go to PENDING only"
    )
    with pytest.raises(IllegalMove, match="from done it can go to no state only"):
        require_move("run 5", RUN_MOVES, RunState.DONE, RunState.QUEUED)


def test_what_is_over_is_never_left_and_what_lives_can_end() -> None:
    for state in RunState:
        if state in LIVE_RUN_STATES:
            assert {RunState.DONE, RunState.CANCELLED} <= set(RUN_MOVES[state])
        else:
            assert RUN_MOVES[state] == {}
