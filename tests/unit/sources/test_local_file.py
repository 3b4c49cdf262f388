"""Files that people hand over."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.names import clean_name
from leap_pipeline.errors import InputError
from leap_pipeline.sources import local_file
from leap_pipeline.sources.local_file import copy_verified, digest, storage_suffix

CONTENT = bytes(range(256)) * 64


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local_file, "CHUNK", 4096)
    path = tmp_path / "in.mp4"
    path.write_bytes(CONTENT)
    return path


def test_the_digest_is_the_sha_256_and_tells_its_progress(source: Path) -> None:
    told: list[float] = []
    assert digest(source, told.append) == hashlib.sha256(CONTENT).hexdigest()
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_a_copy_is_the_same_and_told_about(source: Path, tmp_path: Path) -> None:
    told: list[float] = []
    copy_verified(source, tmp_path / "out", hashlib.sha256(CONTENT).hexdigest(), told.append)
    assert (tmp_path / "out").read_bytes() == CONTENT
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_a_copy_of_other_content_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in\.mp4 changed while it was read: wait until"):
        copy_verified(source, tmp_path / "out", "0" * 64)


def test_a_copy_never_overwrites(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        copy_verified(source, tmp_path / "out", "0" * 64)
    assert (tmp_path / "out").read_bytes() == b"mine"


def test_progress_may_stop_it(source: Path) -> None:
    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        digest(source, stop)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.mp4", ".mp4"),
        ("a.MKV", ".mkv"),
        ("a.tar.webm", ".webm"),
        ("a", ".mp4"),
        ("a.exe", ".mp4"),
    ],
)
def test_only_endings_of_video_containers_are_kept(name: str, suffix: str) -> None:
    assert storage_suffix(Path(name)) == suffix


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Lecture 1", "Lecture 1"),
        ("  many   spaces\t", "many spaces"),
        ("two\nlines\x00", "two lines"),
        ("\u202egpj.exe\ufeff", "gpj.exe"),
        ("lone \udcff half", "lone half"),
        ("Лекци\u0438\u0306 о й", "Лекций о й"),
        ("x" * 499 + " y", "x" * 499),
        ("e\u200d\u0301", "é"),
        ("", "Untitled"),
        ("\u200b \u202e", "Untitled"),
    ],
)
def test_names_are_made_fit_to_show(name: str, shown: str) -> None:
    assert clean_name(name) == shown


@given(st.text(st.characters(codec=None), max_size=700))
def test_any_name_becomes_one_that_can_be_stored(name: str) -> None:
    shown = clean_name(name)
    assert 0 < len(shown) <= 500
    shown.encode("utf-8")
    assert shown.isprintable() or not shown.isascii()
    assert "\x00" not in shown
    assert clean_name(shown) == shown
