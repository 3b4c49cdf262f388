"""Names of pictures never lead out of their folder; shared ones are made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from leap_pipeline.errors import InputError
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.thumbnails import (
    own_path,
    safe_name,
    seed_shared,
    shared_names,
    shared_path,
)


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("ml.png", "ml.png"),
        ("  Осень  2026.JPG ", "Осень 2026.JPG"),
        ("и\u0306.jpeg", "й.jpeg"),
        ("a\u200b\u202eb.png", "ab.png"),
        ("a\nb.png", "a b.png"),
    ],
)
def test_a_name_is_stored_as_it_is_read(name: str, stored: str) -> None:
    assert own_path(7, name) == f"users/user_000007/thumbnails/{stored}"


@pytest.mark.parametrize(
    "name",
    [
        "../a.png", "..\\a.png", "/etc/a.png", "a/b.png", "", ".png", ".a.png", "a.svg", "a",
        "a:b.png", "я" * 130 + ".png", "a.png/", "%2e%2e%2fa.svg", "a.png\0.svg",
    ],
)  # fmt: skip
def test_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"The picture's name “.*” (must|is no safe).*[.]$"):
        safe_name(name)


def test_shared_pictures_are_made_once_and_are_the_operator_s_since(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    drawn = []

    def pictures() -> dict[str, bytes]:
        drawn.append(1)
        return {"a.png": b"a", "b.png": b"b"}

    assert shared_names(storage) == []
    seed_shared(storage, pictures)
    assert shared_names(storage) == ["a.png", "b.png"]
    assert shared_path(storage, "a.png") == "shared/thumbnails/a.png"
    assert storage.fetch("shared/thumbnails/a.png").read_bytes() == b"a"
    storage.remove("shared/thumbnails/a.png")
    (tmp_path / "shared/thumbnails/notes.txt").write_text("not a picture")
    seed_shared(storage, pictures)
    assert shared_names(storage) == ["b.png"]
    assert shared_path(storage, "a.png") is None
    assert drawn == [1]


def test_two_who_make_the_shared_pictures_at_once_make_one_folder(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)

    def pictures() -> dict[str, bytes]:
        seed_shared(LocalStorage(tmp_path), lambda: {"a.png": b"of the other"})
        return {"a.png": b"late"}

    seed_shared(storage, pictures)
    assert storage.fetch("shared/thumbnails/a.png").read_bytes() == b"of the other"
    assert not list((tmp_path / ".scratch").iterdir())
