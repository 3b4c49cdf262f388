"""Names of files, to people's machines and from them."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.file_names import LONGEST_KEPT, ascii_name, name_to_keep, uploaded_name
from leap_pipeline.errors import InputError


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("Лекция 3.mp4", "Лекция 3.mp4"),
        ("../../etc/passwd.txt", "etc passwd.txt"),
        ('a"; filename="evil.exe.txt', "a filename= evil.exe.txt"),
        ("line\r\nSet-Cookie: x=1.txt", "line Set-Cookie x=1.txt"),
        ("con.json", "_con.json"),
        (" .hidden.txt", "hidden.txt"),
        ("\u202efdp.exe.txt", "fdp.exe.txt"),
        ("....txt", "recording.txt"),
    ],
)
def test_a_name_to_keep(name: str, kept: str) -> None:
    assert name_to_keep(name) == kept


def test_a_long_name_keeps_its_ending() -> None:
    assert name_to_keep("я" * 500 + " - transcript.json") == "я" * LONGEST_KEPT + ".json"


def test_the_nearest_name_in_ascii() -> None:
    assert ascii_name("Café Лекция.mp4") == "Cafe ______.mp4"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no name"),
        ("..", "no name"),
        ("../x.mp4", "is a path"),
        ("C:\\videos\\x.mp4", "is a path"),
        ("x\x00.mp4", "cannot be shown"),
        ("x\u202e4pm.exe", "cannot be shown"),
        ("x" * 300, "300 characters"),
    ],
)
def test_a_name_that_is_refused(name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        uploaded_name(name)


def test_a_name_that_is_taken() -> None:
    assert uploaded_name("Лекция №3 (черновик).mp4") == "Лекция №3 (черновик).mp4"
