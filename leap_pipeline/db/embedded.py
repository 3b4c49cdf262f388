"""The embedded PostgreSQL: made, started, found again and stopped, by any number of processes.

The server is nobody's child: it stays when the process that started it ends, and whoever comes
next finds it through its folder (`server_folder`). Making and starting happen under a file lock;
looking whether it runs needs none and takes about a millisecond. It listens on loopback only, on
a port that is remembered; every local user can reach that, so each role has a generated password.

`leap_owner` owns both databases. It is no superuser; the bootstrap superuser only makes it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from leap_pipeline.db.binaries import Binaries, find_binaries, reachable_copy
from leap_pipeline.db.cluster import HOST, make_data, sync_data
from leap_pipeline.db.owner import has_clients, make_owner
from leap_pipeline.db.postmaster import Postmaster, read_pid_file, shut_down
from leap_pipeline.db.server_folder import ServerFolder, find_folder, is_claimed, make_folder
from leap_pipeline.db.server_start import start_until_ready
from leap_pipeline.errors import UserActionError
from leap_pipeline.runtime_files import bound_log, file_lock, write_private
from leap_pipeline.settings import Settings

LOCK_SECONDS = 180.0
STOP_SECONDS = 30.0
LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class ServerAddress:
    """Where the server listens and how the owner of the databases logs in."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class ServerStatus:
    """What can be said of the server without starting it."""

    running: bool
    folder: Path
    host: str
    port: int | None
    pid: int | None
    version: str | None


class EmbeddedServer:
    """The server of one home.

    `binaries` and `options` (server parameters) replace what is found and usual.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        binaries: Binaries | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self._binaries = binaries
        self._options = dict(options or {})

    @property
    def folder(self) -> ServerFolder:
        return find_folder(self.settings)

    def ensure_running(self) -> ServerAddress:
        """Its address; made and started before where needed.

        Raises UserActionError with a sentence where that cannot be, TransientError where another
        process is at it for very long.
        """
        address = self._running_address()
        if address is not None:
            return address
        folder = make_folder(self.settings)
        with _locked(folder) as lock:
            address = self._running_address()
            if address is not None:
                return address
            return self._make_and_start(folder, lock)

    def stop(self) -> bool:
        """Fast shutdown; False where it did not run."""
        folder = self.folder
        if not folder.root.exists():
            return False
        with _locked(folder):
            running = self._found(folder)
            return running is not None and shut_down(running, timeout=STOP_SECONDS)

    def status(self) -> ServerStatus:
        folder = self.folder
        found = self._found(folder)
        ready = found is not None and found.is_ready
        return ServerStatus(
            running=ready,
            folder=folder.root,
            host=HOST,
            port=found.port if found and ready else None,
            pid=found.pid if found and ready else None,
            version=_data_version(folder),
        )

    def has_clients(self) -> bool:
        """Is anybody connected? False where it does not run."""
        address = self._running_address()
        return address is not None and has_clients(
            address.host, address.port, address.user, address.password
        )

    def bound_log(self) -> None:
        """Keep the server's log within its bound; called now and then by who watches it."""
        bound_log(self.folder.log, LOG_BYTES)

    def _found(self, folder: ServerFolder) -> Postmaster | None:
        return read_pid_file(folder.data) if is_claimed(self.settings, folder) else None

    def _running_address(self) -> ServerAddress | None:
        """The address, where all is made and the server says that it is ready."""
        folder = self.folder
        record = _read_record(folder)
        running = self._found(folder) if record else None
        if running is None or not running.is_ready:
            return None
        return ServerAddress(HOST, running.port, record["user"], record["password"])

    def _make_and_start(self, folder: ServerFolder, lock: int) -> ServerAddress:
        binaries = self._programs(folder)
        if not folder.data.exists():
            folder.record.unlink(missing_ok=True)
            password = secrets.token_urlsafe(32)
            write_private(folder.superuser, password)
            make_data(folder, binaries, password, keep_open=[lock])
        bound_log(folder.log, LOG_BYTES)
        record = _read_record(folder)
        port = int(record.get("port", "0"))
        running = start_until_ready(folder, binaries, port, self._options)
        if not record:
            superuser = folder.superuser.read_text(encoding="utf-8")
            user, password = make_owner(HOST, running.port, superuser)
            record = {"user": user, "password": password}
            sync_data(folder, binaries)
        if record.get("port") != str(running.port):
            record["port"] = str(running.port)
            write_private(folder.record, json.dumps(record))
        return ServerAddress(HOST, running.port, record["user"], record["password"])

    def _programs(self, folder: ServerFolder) -> Binaries:
        version = _data_version(folder)
        major = int(version.split(".", maxsplit=1)[0]) if version else None
        binaries = self._binaries or find_binaries(major=major, data=folder.data)
        if major is not None and binaries.major != major:
            msg = (
                f"The data in {folder.data} belongs to PostgreSQL {major}, but the programs in "
                f"{binaries.bin} are of {binaries.version}: install PostgreSQL {major}."
            )
            raise UserActionError(msg)
        return reachable_copy(binaries, folder.account)


def _locked(folder: ServerFolder) -> AbstractContextManager[int]:
    return file_lock(folder.lock, timeout=LOCK_SECONDS, what="The embedded database")


def _read_record(folder: ServerFolder) -> dict[str, str]:
    """Port, user and password; empty until the server was made completely."""
    try:
        record: dict[str, str] = json.loads(folder.record.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        msg = f"The embedded database in {folder.root} belongs to another user: use your own home."
        raise UserActionError(msg) from error
    return record


def _data_version(folder: ServerFolder) -> str | None:
    """The data folder's version, "18"; None without data or without the right to look."""
    try:
        return (folder.data / "PG_VERSION").read_text(encoding="utf-8").strip()
    except OSError:
        return None
