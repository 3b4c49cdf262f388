"""Ending whole process groups: a request first, then the end, for the children's children too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable

from leap_pipeline.processes import began, group_members, is_alive

GRACE_SECONDS = 10.0
KILL_SECONDS = 5.0
POLL_SECONDS = 0.05


def end_groups(
    groups: Iterable[int],
    *,
    grace: float = GRACE_SECONDS,
    hurry: Callable[[], bool] = lambda: False,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """SIGTERM to all of them at once, SIGKILL after `grace` seconds or when `hurry` says so.

    `meanwhile` is called while waiting, to reap what are this process's own children.
    """
    remaining = _signal(groups, signal.SIGTERM)
    remaining = _wait(remaining, grace, hurry, meanwhile)
    remaining = _signal(remaining, signal.SIGKILL)
    _wait(remaining, KILL_SECONDS, lambda: False, meanwhile)


def is_same_group(leader: int, leader_began: str) -> bool:
    """Is the group `leader` still the one whose leader began then?

    A group keeps its number while it has members, so only a living leader with another beginning
    shows that the number was used again.
    """
    return not is_alive(leader) or began(leader) == leader_began


def _signal(groups: Iterable[int], number: signal.Signals) -> list[int]:
    """Returns those that have a living member."""
    living = [group for group in groups if group_members(group)]
    for group in living:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            continue
    return living


def _wait(
    groups: list[int],
    seconds: float,
    hurry: Callable[[], bool],
    meanwhile: Callable[[], None],
) -> list[int]:
    """Returns those that still have a living member at the end."""
    deadline = time.monotonic() + seconds
    while groups and time.monotonic() < deadline and not hurry():
        time.sleep(POLL_SECONDS)
        meanwhile()
        groups = [group for group in groups if group_members(group)]
    return groups
