"""Where the encryption keys come from: a file in the home, or the environment.

The first key writes, all of them read. Each is a Fernet key: 32 random bytes in URL-safe base64.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet

from leap_pipeline.errors import UserActionError
from leap_pipeline.redaction import remember
from leap_pipeline.runtime_files import file_lock, write_private
from leap_pipeline.settings import Settings

log = logging.getLogger(__name__)

VARIABLE = "LEAP_ENCRYPTION_KEYS"
FILE, LOCK = "encryption.keys", "encryption.keys.lock"
LOCK_SECONDS = 30.0
HEAD = """\
# LEAP's encryption keys, one a line: the first writes, all of them read.
# Whoever has them can read every stored credential; without them nobody can. Keep a copy.
"""
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")

Keys = tuple[str, ...]
Version = tuple[int, ...]


class KeySource(Protocol):
    """`version` changes whenever `read` would give something else; asking for it is cheap."""

    @property
    def name(self) -> str: ...
    def version(self) -> Version: ...
    def read(self) -> Keys: ...


@dataclass(frozen=True)
class EnvironmentKeys:
    """Keys of the setting, which live as long as the process."""

    keys: Keys = field(repr=False)
    name: str = VARIABLE

    def version(self) -> Version:
        return ()

    def read(self) -> Keys:
        return self.keys


@dataclass(frozen=True)
class KeyFile:
    """The file of a home, which other processes may change at any time."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def version(self) -> Version:
        try:
            found = self.path.stat()
        except OSError as error:
            raise self._unreadable(error) from error
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def read(self) -> Keys:
        try:
            lines = self.path.read_text(encoding="ascii").splitlines()
        except OSError as error:
            raise self._unreadable(error) from error
        except UnicodeDecodeError as error:
            msg = f"{self.path} holds no keys, for it is no plain text: put its copy back."
            raise UserActionError(msg) from error
        found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        return checked(found, f"of {self.path}", "put the copy of the file back")

    def ensure(self) -> None:
        """Make it with a new key where there is none; of many at once, one makes it."""
        if self.path.exists():
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.locked():
                if self.path.exists():
                    return
                self.write((new_key(),))
        except OSError as error:
            msg = f"{self.path} cannot be made ({error.strerror}): make its folder writable."
            raise UserActionError(msg) from error
        log.warning(
            "Made the encryption key %s: who loses it loses every stored credential, so keep a "
            "copy of it apart from the database.",
            self.path,
        )

    def locked(self) -> AbstractContextManager[int]:
        """Held by whoever changes the file."""
        return file_lock(self.path.with_name(LOCK), timeout=LOCK_SECONDS, what="The key file")

    def write(self, keys: Sequence[str]) -> None:
        """Replace the keys in one step that a power cut cannot undo; hold `locked` meanwhile."""
        # What a writer left who was killed before it put its keys in place.
        for abandoned in self.path.parent.glob(f".{self.path.name}.*"):
            abandoned.unlink(missing_ok=True)
        write_private(self.path, HEAD + "".join(f"{key}\n" for key in keys))
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def is_open_to_others(self) -> bool:
        return bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)

    def _unreadable(self, error: OSError) -> UserActionError:
        msg = f"{self.path} with the encryption keys cannot be read ({error.strerror}): put its "
        return UserActionError(msg + "copy back, or give this account the right to read it.")


def key_source(settings: Settings) -> EnvironmentKeys | KeyFile:
    """Where the settings say that the keys are; makes nothing.

    Raises UserActionError for a setting with a key that is none.
    """
    if settings.encryption_keys is None:
        return KeyFile(settings.home.resolve() / FILE)
    given = settings.encryption_keys.get_secret_value().split(",")
    keys = checked([key.strip() for key in given], f"in {VARIABLE}", "set it anew")
    return EnvironmentKeys(keys)


def ensure_keys(settings: Settings) -> None:
    """What a first start does: make the key file, unless the environment has the keys."""
    if settings.encryption_keys is None:
        KeyFile(settings.home.resolve() / FILE).ensure()


def new_key() -> str:
    return Fernet.generate_key().decode()


def checked(keys: Iterable[str], where: str, remedy: str) -> Keys:
    """The keys, if each is one; from here on no log shows them.

    Raises UserActionError that says which is none, and never what it is.
    """
    found = tuple(keys)
    if not any(found):
        msg = f"There is no encryption key {where}: {remedy}."
        raise UserActionError(msg)
    remember(*found)
    for number, key in enumerate(found, start=1):
        if not _KEY.fullmatch(key):
            msg = (
                f"Key {number} {where} is no Fernet key (44 characters of URL-safe base64): "
                f"{remedy}."
            )
            raise UserActionError(msg)
    return found
