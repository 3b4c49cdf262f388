"""Which login a session of Streamlit belongs to.

Streamlit lets a browser that was cut off take its session up again by its id. An id that somebody
else has got hold of would attach that person to a stranger's state, so the gate takes away every id
that does not belong to the login that asks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

REMEMBERED = 20_000


class Bindings:
    """Session id → family of login tokens; the oldest are forgotten. Safe between threads."""

    def __init__(self) -> None:
        self._families: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def bind(self, session_id: str, family_id: str) -> bool:
        """Bind a session at its first rerun; False where it is bound to another login."""
        with self._guard:
            owner = self._families.setdefault(session_id, family_id)
            self._families.move_to_end(session_id)
            if len(self._families) > REMEMBERED:
                self._families.popitem(last=False)
            return owner == family_id

    def may_resume(self, session_id: str, family_id: str) -> bool:
        with self._guard:
            return self._families.get(session_id) == family_id


BINDINGS = Bindings()
"""Of this process: Streamlit's sessions live in it alone."""
