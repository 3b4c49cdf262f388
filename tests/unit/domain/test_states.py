"""Every pair of states of every machine, against the moves that the design names."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest

from leap_pipeline import domain
from leap_pipeline.domain.states import (
    LIVE_RUN_STATES,
    RUN_MOVES,
    STAGE_MOVES,
    SUBSCRIPTION_MOVES,
    RunState,
    StageStatus,
    SubscriptionState,
    require_move,
    sources_of,
    subscription_state,
)
from leap_pipeline.errors import DataError, IllegalMove

Moves = Mapping[Any, Mapping[Any, str]]


def _tables() -> dict[str, Moves]:
    """Every table of moves that the domain has, wherever it stands."""
    found = {}
    for module in pkgutil.walk_packages(domain.__path__, f"{domain.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.endswith("_MOVES"):
                found[name.removesuffix("_MOVES").lower()] = value
    return found


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
    "hold": "live > released",
    "deletion": "active > soft_deleted, soft_deleted > active, soft_deleted > hard_deleted",
    "subscription": """
        scheduled > active, scheduled > expired, active > expired, expired > active,
        expired > scheduled""",
    "upload": """
        planned > open, open > uploaded, open > lost, open > planned, lost > uploaded,
        lost > planned""",
    "step": """
        pending > done, pending > failed, pending > skipped, done > pending, failed > pending,
        failed > skipped, skipped > pending""",
}
TABLES = _tables()
PAIRS = [
    pytest.param(name, current, wanted, id=f"{name}: {current} to {wanted}")
    for name, moves in TABLES.items()
    for current, wanted in itertools.product(moves, moves)
]


def test_every_machine_has_its_moves_named_here() -> None:
    assert set(TABLES) == set(ALLOWED)


@pytest.mark.parametrize(("name", "current", "wanted"), PAIRS)
def test_a_move_is_legal_exactly_where_the_design_has_it(
    name: str, current: StrEnum, wanted: StrEnum
) -> None:
    legal = {tuple(pair.strip().split(" > ")) for pair in ALLOWED[name].split(",")}
    moves = TABLES[name]
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
    moves = TABLES[name]
    (states,) = {type(state) for state in moves}
    assert issubclass(states, StrEnum)
    assert set(moves) == set(states)
    assert {target for targets in moves.values() for target in targets} <= set(states)
    assert all(event for targets in moves.values() for event in targets.values())


def test_the_sentence_says_from_to_and_why() -> None:
    with pytest.raises(DataError) as raised:
        require_move("stage TRIM of recording 5", STAGE_MOVES, "COMPLETED", StageStatus.FAILED)
    assert str(raised.value) == (
        "stage TRIM of recording 5 cannot go from COMPLETED to FAILED: "
        "COMPLETED leads only to PENDING (it or something before it was forced)"
    )
    with pytest.raises(IllegalMove, match="from done to queued: done is final"):
        require_move("run 5", RUN_MOVES, "done", RunState.QUEUED)
    with pytest.raises(IllegalMove, match="from SOLD to PENDING: SOLD is not one of its states"):
        require_move("it", STAGE_MOVES, "SOLD", StageStatus.PENDING)


def test_what_is_over_is_never_left_and_what_lives_can_end() -> None:
    for state in RunState:
        if state in LIVE_RUN_STATES:
            assert {RunState.DONE, RunState.CANCELLED} <= set(RUN_MOVES[state])
        else:
            assert RUN_MOVES[state] == {}


NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("starts_at", "expires_at", "state"),
    [
        (NOW - HOUR, None, SubscriptionState.ACTIVE),
        (NOW, None, SubscriptionState.ACTIVE),
        (NOW - HOUR, NOW + HOUR, SubscriptionState.ACTIVE),
        (NOW - HOUR, NOW, SubscriptionState.EXPIRED),
        (NOW + HOUR, None, SubscriptionState.SCHEDULED),
        (NOW + HOUR, NOW + 2 * HOUR, SubscriptionState.SCHEDULED),
        (NOW + HOUR, NOW - HOUR, SubscriptionState.EXPIRED),
    ],
)
def test_a_subscription_is_what_its_dates_and_the_clock_make_it(
    starts_at: datetime, expires_at: datetime | None, state: SubscriptionState
) -> None:
    assert subscription_state(starts_at, expires_at, NOW) is state


def test_time_alone_moves_a_subscription_as_the_table_says() -> None:
    dates = [NOW + hours * HOUR for hours in range(4)]
    for starts_at, expires_at in itertools.product(dates, [None, *dates]):
        states = [subscription_state(starts_at, expires_at, at) for at in dates]
        for before, after in itertools.pairwise(states):
            assert before is after or after in SUBSCRIPTION_MOVES[before]
