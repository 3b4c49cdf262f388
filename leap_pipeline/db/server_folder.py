"""The one folder of an embedded server, and how a home finds it again.

    <folder>/data          PostgreSQL's own data folder, owned by the account that runs it
    <folder>/server.log    what the server says, bounded
    <folder>/server.json   its port and the owner's password, written when all is ready
    <folder>/superuser     the bootstrap password, never used by the application
    <folder>/lock          held while somebody starts, stops or makes it

It is `<home>/postgres`, unless a setting names another. Run by root, the server belongs to an
unprivileged account, which often cannot pass the folders above the home: then it is
`/var/lib/leap/<hash of home>`, and the home keeps a note that says so. A folder whose home has no
such note was left by a home that is gone: it is set aside, never deleted and never taken over.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from leap_pipeline.db.account import Account, can_reach, is_root, server_account
from leap_pipeline.db.binaries import SHARED
from leap_pipeline.db.postmaster import read_pid_file, shut_down
from leap_pipeline.errors import UserActionError
from leap_pipeline.runtime_files import file_lock
from leap_pipeline.settings import Settings

log = logging.getLogger(__name__)

NOTE = "postgres.folder"
ASIDE_SECONDS, CLAIM_SECONDS = 30.0, 90.0


@dataclass(frozen=True)
class ServerFolder:
    """The paths inside it; nothing is made by asking."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def record(self) -> Path:
        return self.root / "server.json"

    @property
    def superuser(self) -> Path:
        return self.root / "superuser"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def account(self) -> Account | None:
        return server_account(self.data)


def find_folder(settings: Settings) -> ServerFolder:
    """Where the server of this home is, or would be made. Touches nothing."""
    if settings.postgres_data is not None:
        return ServerFolder(settings.postgres_data.resolve())
    inside = ServerFolder(settings.home.resolve() / "postgres")
    note = settings.home / NOTE
    if note.exists():
        return ServerFolder(Path(note.read_text(encoding="utf-8").strip()))
    if not is_root() or inside.data.exists() or can_reach(settings.home, inside.account):
        return inside
    return ServerFolder(SHARED / _key(settings.home))


def make_folder(settings: Settings) -> ServerFolder:
    """Find it, make it where missing, and see that the server's account can pass.

    Raises UserActionError where it cannot be made or reached.
    """
    folder = find_folder(settings)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        # Whether the server's account can pass is only known of a home that is there.
        folder = find_folder(settings)
        if not is_claimed(settings, folder):
            _claim(settings, folder)
        if not folder.root.exists():
            _make_root(folder.root)
    except OSError as error:
        msg = f"The embedded database's folder {folder.root} cannot be made: {error.strerror}."
        raise UserActionError(msg) from error
    _require_reachable(folder)
    return folder


def _make_root(root: Path) -> None:
    """Make it with its mode at once, so that another process never finds it half made."""
    # Only where it is missing: of a file in its place `mkdir` says “File exists”.
    if not root.parent.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=root.parent))
    staged.chmod(0o711 if is_root() else 0o700)
    try:
        staged.rename(root)
    except OSError:
        staged.rmdir()
        if not root.is_dir():
            raise


def is_claimed(settings: Settings, folder: ServerFolder) -> bool:
    """False for a folder outside of the home whose note the home does not have."""
    return folder.root.parent != SHARED or (settings.home / NOTE).exists()


def _claim(settings: Settings, folder: ServerFolder) -> None:
    if not SHARED.exists():
        _make_root(SHARED)
    with file_lock(SHARED / ".lock", timeout=CLAIM_SECONDS, what=f"The folder {SHARED}"):
        if not is_claimed(settings, folder):
            _set_aside(folder)
            (settings.home / NOTE).write_text(f"{folder.root}\n", encoding="utf-8")


def _require_reachable(folder: ServerFolder) -> None:
    if (folder.root / "PG_VERSION").exists():
        msg = (
            f"{folder.root} is itself a PostgreSQL data folder, not LEAP's: point "
            "LEAP_POSTGRES_DATA at an empty folder, or LEAP_DATABASE_URL at its running server."
        )
        raise UserActionError(msg)
    account = folder.account
    if not can_reach(folder.root, account):
        who = account.name if account else "you"
        msg = (
            f"The embedded database runs as the account {who}, which cannot enter {folder.root}: "
            "point LEAP_POSTGRES_DATA at a folder that everybody can pass."
        )
        raise UserActionError(msg)


def _set_aside(folder: ServerFolder) -> None:
    if not folder.root.exists():
        return
    running = read_pid_file(folder.data)
    if running is not None:
        shut_down(running, timeout=ASIDE_SECONDS)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = folder.root.rename(folder.root.with_name(f"{folder.root.name}.{moment}"))
    log.warning("The database of an earlier home at the same place is kept in %s.", kept)


def _key(home: Path) -> str:
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
