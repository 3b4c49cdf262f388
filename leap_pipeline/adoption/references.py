"""Which row here came of which row there, as far as it is still here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeGuard

from leap_pipeline.adoption.outcome import Notes


class References:
    """Ids of one tenant: a row of another tenant is a row that does not exist."""

    def __init__(self) -> None:
        self._new: dict[str, dict[int, int]] = defaultdict(dict)

    def put(self, table: str, old: int, new: int) -> None:
        self._new[table][old] = new

    def find(self, table: str, old: int | None, notes: Notes) -> int | None:
        """The new id; what was not taken is not referred to, and that is said."""
        if old is None:
            return None
        found = self._new[table].get(old)
        if found is None:
            notes.say(f"no longer refers to {table}", f"row {old} is not of this owner or was left")
        return found

    def find_all(self, table: str, old: Iterable[object], notes: Notes) -> list[int]:
        """The new ids of a list, each once."""
        ids = [each for each in old if _is_id(each, table, notes)]
        found = [self.find(table, each, notes) for each in ids]
        return list(dict.fromkeys(each for each in found if each is not None))


def _is_id(value: object, table: str, notes: Notes) -> TypeGuard[int]:
    known = isinstance(value, int) and not isinstance(value, bool)
    if not known:
        notes.say(f"a reference to {table} was left out", "it is no id")
    return known
