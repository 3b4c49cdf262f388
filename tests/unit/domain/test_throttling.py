"""How long a login must wait."""

from __future__ import annotations

from datetime import timedelta

from leap_pipeline.domain.throttling import ACCOUNT, ADDRESS


def test_the_wait_doubles_after_the_free_failures() -> None:
    waits = [ACCOUNT.wait(failures).total_seconds() for failures in range(18)]
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert ADDRESS.wait(29) == timedelta()
    assert ADDRESS.wait(10**9) == timedelta(minutes=15)


def test_the_longest_wait_bounds_the_guesses_of_a_day() -> None:
    spent, guesses = timedelta(), 0
    while spent < timedelta(days=1):
        guesses += 1
        spent += ACCOUNT.wait(guesses)
    assert 100 < guesses < 120
