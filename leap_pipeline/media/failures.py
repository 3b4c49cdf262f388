"""Which error a failed FFmpeg means."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from leap_pipeline.errors import DataError, LeapError, TransientError, UserActionError

FULL = ("No space left on device", "Disk quota exceeded", "File too large")
REFUSED = ("Permission denied", "Read-only file system", "Operation not permitted")
LABELS = re.compile(r"^(\[[^\]]*\] )*")
"""What FFmpeg puts before a line: the component with its address, the level."""


def failure(code: int, errors: Sequence[str], tail: str, output: Path | None) -> LeapError | None:
    """The error for an exit code and what was said on stderr; None where both look well.

    A full disk can end in code 0, so that sentence is looked for first.
    """
    said = "\n".join([*errors, tail])
    if any(phrase in said for phrase in FULL) or code == -signal.SIGXFSZ:
        return disk_full(output)
    if code == 0:
        return None
    if any(phrase in said for phrase in REFUSED):
        where = output or "the output"
        msg = f"{where} cannot be written, permission is denied: choose another folder."
        return UserActionError(msg)
    if code < 0:
        name = signal.Signals(-code).name
        msg = f"FFmpeg was ended from outside ({name}), perhaps for want of memory; run it again."
        return TransientError(msg)
    # The first complaint is the cause, later ones follow from it.
    why = errors[0] if errors else (tail.strip().splitlines() or ["no reason given"])[-1]
    msg = f"FFmpeg failed with code {code}: {LABELS.sub('', why)}"
    return DataError(msg)


def disk_full(output: Path | None) -> UserActionError:
    """Names the disk and what is free on it."""
    folder = (output or Path()).absolute()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    msg = f"The disk of {folder} is full ({free:,} bytes are free): make room and run it again."
    return UserActionError(msg)
