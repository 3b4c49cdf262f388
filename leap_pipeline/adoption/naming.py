"""Names that must differ: a second one of a name gets a number behind it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from leap_pipeline.adoption.outcome import Notes


class Names:
    """The names that one owner has for one kind of thing.

    `within` tells apart what may share a name, such as credentials of two platforms.
    """

    def __init__(self, taken: Iterable[tuple[Hashable, str]] = ()) -> None:
        self._taken = set(taken)

    def free(self, name: str, notes: Notes, *, within: Hashable = None, limit: int = 255) -> str:
        """The name, or the next that is free: `name (2)`."""
        found, number = name[:limit], 1
        while (within, found) in self._taken:
            number += 1
            ending = f" ({number})"
            found = name[: limit - len(ending)] + ending
        if found != name:
            notes.say("renamed", f"“{name}” is now “{found}”")
        self._taken.add((within, found))
        return found
