"""A file is made beside its place and moved into it when it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leap_pipeline.errors import InputError


@contextmanager
def beside(destination: Path) -> Iterator[Path]:
    """A hidden folder on the disk of `destination`, which must be in an existing folder.

    Gone at the end whatever happens. Move what is finished out of it with `Path.replace`.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    except OSError as error:
        why = error.strerror or error
        msg = f"{destination} cannot be written ({why}): choose another folder."
        raise InputError(msg) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
