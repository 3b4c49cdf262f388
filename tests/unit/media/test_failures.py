import signal
from pathlib import Path

import pytest

from leap_pipeline.errors import DataError, TransientError, UserActionError
from leap_pipeline.media.failures import failure


def test_a_full_disk_is_found_even_behind_exit_code_0(tmp_path: Path) -> None:
    lines = ["[mp4 @ 0x1] [error] Error writing trailer: No space left on device"]
    error = failure(0, lines, "", tmp_path / "part.mp4")
    assert isinstance(error, UserActionError)
    assert str(tmp_path) in str(error)
    assert "bytes are free" in str(error)


def test_code_0_without_a_word_is_no_failure() -> None:
    assert failure(0, [], "", None) is None


@pytest.mark.parametrize(
    ("code", "lines", "kind", "words"),
    [
        (1, ["[in#0] [error] Invalid data found"], DataError, "Invalid data found"),
        (1, [], DataError, "no reason given"),
        (-signal.SIGKILL, [], TransientError, "SIGKILL"),
        (-signal.SIGXFSZ, [], UserActionError, "is full"),
        (1, ["[out#0] [error] Permission denied"], UserActionError, "permission is denied"),
    ],
)
def test_codes_and_words_become_the_right_kind(
    code: int, lines: list[str], kind: type[Exception], words: str
) -> None:
    error = failure(code, lines, "", None)
    assert isinstance(error, kind)
    assert words in str(error)
