"""When the mirror reloads: once rows that differ have stopped changing, and not too often."""

from __future__ import annotations

from leap_pipeline.orchestration.mirror import (
    APART_SECONDS,
    MOST_WAIT_SECONDS,
    Seen,
    Step,
    next_step,
)

TURN = 5.0


def turns(*wanted: str, loaded: str | None = "old", seen: Seen | None = None) -> list[bool]:
    """Whether each turn reloads, when the rows are these and nothing else changes."""
    seen, found = seen or Seen(), []
    for number, fingerprint in enumerate(wanted):
        step = next_step(seen, fingerprint, loaded, 1000 + number * TURN)
        found.append(step.reload)
        seen = step.seen
    return found


def test_nothing_is_reloaded_while_all_is_as_loaded() -> None:
    assert turns("old", "old", "old") == [False, False, False]


def test_a_change_is_reloaded_on_the_second_turn() -> None:
    assert turns("new", "new") == [False, True]


def test_rows_that_keep_changing_are_waited_for_a_while_only() -> None:
    longest = int(MOST_WAIT_SECONDS / TURN)
    found = turns(*(f"version {number}" for number in range(longest + 1)))
    assert found == [False] * longest + [True]


def test_a_change_that_is_taken_back_is_forgotten() -> None:
    assert turns("new", "old", "new") == [False, False, False]


def test_a_location_that_does_not_load_is_tried_again_in_a_while() -> None:
    patience = int(APART_SECONDS / TURN)
    found = turns(*["rows"] * (2 + patience), loaded=None)
    assert found == [False, True] + [False] * (patience - 1) + [True]


def test_a_reload_is_remembered() -> None:
    seen = Seen(wanted="new", changed_at=995.0)
    assert next_step(seen, "new", "old", 1000.0) == Step(reload=True, seen=Seen(reloaded_at=1000.0))
