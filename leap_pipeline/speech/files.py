"""Small text files: read with a clear sentence, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
from pathlib import Path
from typing import Any

from leap_pipeline.errors import InputError, UserActionError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def read_json(path: Path) -> Any:
    """The parsed file; InputError says why it cannot be read or where it is not JSON."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return json.loads(text)
    except FileNotFoundError as error:
        msg = f"There is no file {path}: check the path."
        raise InputError(msg) from error
    except IsADirectoryError as error:
        msg = f"{path} is a directory: name the JSON file inside it."
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}): check its permissions."
        raise InputError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8 text (byte {error.start}): choose a JSON file."
        raise InputError(msg) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        msg = f"{path} is not JSON ({error.msg} at {where}): write it again."
        raise InputError(msg) from error
    except RecursionError as error:
        msg = f"{path} is nested too deeply: choose a JSON file that LEAP wrote."
        raise InputError(msg) from error


def write_whole(path: Path, text: str) -> None:
    """Write UTF-8 beside `path` and rename it there: no reader ever meets half a file."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> UserActionError:
    if error.errno in FULL:
        return UserActionError(f"The disk of {path} is full: make room and run it again.")
    why = error.strerror or error
    return InputError(f"{path} cannot be written ({why}): choose another place.")
