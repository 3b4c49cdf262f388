"""Files that pages take, which Streamlit holds in memory as long as the page is open.

It limits how large one is, and neither how many there are nor how many come at once. A page here
asks for one file at a time, so what it was given before the last ones is of no use to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

KEPT = 2
"""Of one page, beside the one that comes."""
MOST_AT_ONCE = 2
"""Of one login on their way."""
MOST_BYTES = 512 * 2**20
"""Of all pages."""


class HeldFiles:
    """What comes, counted; for the event loop alone."""

    def __init__(self) -> None:
        self._coming: Counter[str] = Counter()

    @contextmanager
    def room(self, session_id: str, family_id: str) -> Iterator[bool]:
        """Is there room for one more file, which comes within?"""
        if self._coming[family_id] >= MOST_AT_ONCE or not _make_room(session_id):
            yield False
            return
        self._coming[family_id] += 1
        try:
            yield True
        finally:
            self._coming[family_id] -= 1
            if not self._coming[family_id]:
                del self._coming[family_id]


def _make_room(session_id: str) -> bool:
    manager = Runtime.instance().uploaded_file_mgr if Runtime.exists() else None
    if not isinstance(manager, MemoryUploadedFileManager):
        return True
    for file_id in list(manager.file_storage.get(session_id, ()))[:-KEPT]:
        manager.remove_file(session_id, file_id)
    held = (file for page in list(manager.file_storage.values()) for file in list(page.values()))
    return sum(len(file.data) for file in held) < MOST_BYTES
