"""Work in threads: one piece of a name at a time, few at once, how it ended is kept."""

from __future__ import annotations

import threading

import pytest

from dashboard.background import BROKEN, Background, Piece
from leap_pipeline.errors import AlreadyRunning, InputError
from tests.support.homes import wait_for

ADA, BOB = "ada", "bob"


def ended(background: Background, owner: str, name: str) -> Piece:
    def looked() -> bool:
        piece = background.look(owner, name)
        return piece is not None and not piece.is_running

    wait_for(looked, seconds=10, what=name)
    piece = background.look(owner, name)
    assert piece is not None
    return piece


def test_a_piece_ends_with_a_result_or_a_sentence() -> None:
    background = Background()

    def refuse() -> None:
        msg = "There is no such thing."
        raise InputError(msg)

    def fail() -> None:
        name = "missing"
        raise KeyError(name)

    for name, work in (("well", lambda: 7), ("refused", refuse), ("bug", fail)):
        background.begin(ADA, name, work)
        ended(background, ADA, name)
    assert ended(background, ADA, "well").result == 7
    assert ended(background, ADA, "refused").error == "There is no such thing."
    assert ended(background, ADA, "bug").error == BROKEN
    assert background.look(BOB, "well") is None
    background.forget(ADA, "well")
    assert background.look(ADA, "well") is None


def test_what_runs_is_not_begun_again_and_nobody_takes_all_the_room() -> None:
    background, go = Background(at_once=3, of_one_owner=2), threading.Event()
    background.begin(ADA, "one", go.wait)
    with pytest.raises(AlreadyRunning, match="under way already"):
        background.begin(ADA, "one", go.wait)
    background.begin(ADA, "two", go.wait)
    with pytest.raises(AlreadyRunning, match="Other work"):
        background.begin(ADA, "three", go.wait)
    background.begin(BOB, "one", go.wait)
    with pytest.raises(AlreadyRunning, match="Other work"):
        background.begin(BOB, "two", go.wait)
    background.forget(ADA, "one")
    piece = background.look(ADA, "one")
    assert piece is not None
    assert piece.is_running
    go.set()
    ended(background, ADA, "one")
    ended(background, ADA, "two")
    background.begin(ADA, "one", lambda: "again")
    assert ended(background, ADA, "one").result == "again"
