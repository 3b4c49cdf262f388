"""A file is made beside its place and moved into it when it is whole."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leap_pipeline.errors import InputError
from leap_pipeline.media.failures import disk_full

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def beside(destination: Path) -> Iterator[Path]:
    """A hidden folder on the disk of `destination`, which must be in an existing folder.

    Gone at the end whatever happens. Move what is finished out of it with `Path.replace`.
    A full disk is told as UserActionError, a folder that takes no files as InputError.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(destination) from error
        why = error.strerror or error
        msg = f"{destination} cannot be written ({why}): choose another folder."
        raise InputError(msg) from error
    try:
        yield folder
    except OSError as error:
        if error.errno in FULL:
            raise disk_full(destination) from error
        raise
    finally:
        shutil.rmtree(folder)
