"""Files that Streamlit holds in memory for pages: few of each page, and not without end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from dashboard import held_files
from dashboard.held_files import KEPT, MOST_AT_ONCE, HeldFiles


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> MemoryUploadedFileManager:
    manager = MemoryUploadedFileManager("/upload")
    monkeypatch.setattr(Runtime, "_instance", SimpleNamespace(uploaded_file_mgr=manager))
    return manager


def add(held: MemoryUploadedFileManager, page: str, number: int) -> None:
    held.add_file(page, UploadedFileRec(str(number), "x.png", "image/png", b"x" * 100))


def test_of_a_page_only_the_last_files_are_held(held: MemoryUploadedFileManager) -> None:
    files = HeldFiles()
    add(held, "other", 0)
    for number in range(9):
        with files.room("page", "login") as there_is_room:
            assert there_is_room
            add(held, "page", number)
    assert list(held.file_storage["page"]) == [str(each) for each in range(9 - KEPT - 1, 9)]
    assert list(held.file_storage["other"]) == ["0"]


def test_a_login_sends_so_many_at_once(held: MemoryUploadedFileManager) -> None:
    files = HeldFiles()
    coming = [files.room("page", "login") for _ in range(MOST_AT_ONCE)]
    assert all(each.__enter__() for each in coming)
    with files.room("page", "login") as one_more, files.room("page", "another") as anothers:
        assert (one_more, anothers) == (False, True)
    for each in coming:
        each.__exit__(None, None, None)
    with files.room("page", "login") as again:
        assert again


def test_all_pages_together_hold_so_much(
    held: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_files, "MOST_BYTES", 250)
    files = HeldFiles()
    for page, expected in (("a", True), ("b", True), ("c", True), ("d", False)):
        with files.room(page, "login") as there_is_room:
            assert there_is_room == expected
            if there_is_room:
                add(held, page, 0)
    held.remove_session_files("a")
    with files.room("d", "login") as there_is_room:
        assert there_is_room
