"""Making a data folder and starting a server on it: PostgreSQL's programs, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from leap_pipeline.db.account import Account
from leap_pipeline.db.binaries import Binaries
from leap_pipeline.db.server_folder import ServerFolder
from leap_pipeline.errors import UserActionError

HOST = "127.0.0.1"
SUPERUSER = "postgres"
PARTIAL = "data.partial"
INITDB_SECONDS = 120

# Told on the command line at every start, so that a new version of LEAP brings its own.
OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_min_messages": "warning",
    # Neither statements nor the rows they failed on: both may hold what belongs in no log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "lc_messages": "C",
}

# Starts the server outside of this process's session and family: nothing here must wait for it,
# and it stays when this process ends. Prints its process id.
DETACH = 'exec 3>&1; "$@" </dev/null >>"$0" 2>&1 3>&- & echo $! >&3'


def make_data(
    folder: ServerFolder, binaries: Binaries, password: str, *, keep_open: Sequence[int]
) -> None:
    """initdb beside the final name, then one rename: a half-made folder is never taken for data.

    `keep_open` are descriptors that initdb inherits: a lock among them outlives this process
    as long as initdb does.

    Raises UserActionError with initdb's own words.
    """
    account = folder.account
    partial = folder.root / PARTIAL
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    secret = partial / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    data = partial / "data"
    data.mkdir(mode=0o700)
    if account is not None:
        for path in (partial, secret, data):
            os.chown(path, account.uid, account.gid)
    _initdb(binaries, data, secret, account, keep_open)
    data.rename(folder.data)
    shutil.rmtree(partial)


def sync_data(folder: ServerFolder, binaries: Binaries) -> None:
    """Have what the first start wrote brought to the disk, without waiting for it.

    From then on the server cares for that itself. A new and empty database is not worth the
    seconds that this takes on a slow disk.
    """
    detached(
        [str(binaries.initdb), "--sync-only", "-D", str(folder.data)], folder.log, folder.account
    )


def _initdb(
    binaries: Binaries,
    data: Path,
    secret: Path,
    account: Account | None,
    keep_open: Sequence[int],
) -> None:
    for locale in _locales(binaries):
        said = _run_initdb(
            [
                *(str(binaries.initdb), "-D", str(data), "-U", SUPERUSER, f"--pwfile={secret}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", *locale),
            ],
            account,
            keep_open,
        )
        if said is None:
            return
    msg = f"PostgreSQL's data folder {data} cannot be made: {said}."
    raise UserActionError(msg)


def _run_initdb(
    command: Sequence[str], account: Account | None, keep_open: Sequence[int]
) -> str | None:
    """None when it worked, else its first complaint."""
    try:
        done = subprocess.run(
            command,
            cwd="/",
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=INITDB_SECONDS,
            pass_fds=keep_open,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except subprocess.TimeoutExpired:
        return f"initdb did not finish in {INITDB_SECONDS} s"
    if done.returncode == 0:
        return None
    complaints = [line for line in done.stderr.splitlines() if "error" in line or "FATAL" in line]
    complaints = complaints or done.stderr.splitlines() or [f"initdb ended with {done.returncode}"]
    return re.sub(r"^initdb: (error: )?", "", complaints[0].strip())


def _locales(binaries: Binaries) -> list[list[str]]:
    """Unicode letters in lower(), upper() and ILIKE, the same on every system, where it can be.

    Before PostgreSQL 17 the system must have the locale, so the plain one stands behind it.
    """
    if binaries.major >= 17:
        return [["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]]
    return [["--locale=C.UTF-8"], ["--no-locale"]]


def start_server(
    folder: ServerFolder, binaries: Binaries, port: int, options: Mapping[str, str]
) -> int:
    """Start a postmaster in a session of its own; returns its process id at once."""
    told = {**OPTIONS, "port": str(port), **options}
    command = [str(binaries.postgres), "-D", str(folder.data)]
    for name, value in told.items():
        command += ["-c", f"{name}={value}"]
    return detached(command, folder.log, folder.account)


def detached(command: Sequence[str], log: Path, account: Account | None) -> int:
    """Run a command that outlives this process, its words appended to `log`; returns its id."""
    log.touch(mode=0o600)
    if account is not None:
        os.chown(log, account.uid, account.gid)
    done = subprocess.run(
        ["/bin/sh", "-c", DETACH, str(log), *command],
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    return int(done.stdout)


def environment() -> dict[str, str]:
    """Nothing of the caller's: PGDATA, PGPORT, PGOPTIONS and the like would change the server."""
    return {"PATH": os.defpath, "LC_ALL": "C"}
