"""Where a tool on plain files may write: looked at before the long work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from leap_pipeline.errors import InputError


def refuse_output(source: Path, output: Path, *, what: str) -> None:
    """Raises `InputError` where `output` cannot be written or is the source; `what` names that."""
    folder = output.absolute().parent
    if output.is_dir():
        msg = f"{output} is a directory: name the file to write in it."
        raise InputError(msg)
    if not folder.is_dir():
        msg = f"There is no directory {folder}: make it first."
        raise InputError(msg)
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"{folder} may not be written to: choose another folder."
        raise InputError(msg)
    if output.exists() and source.exists() and output.samefile(source):
        msg = f"{output} is the {what} itself: name another file to write to."
        raise InputError(msg)
