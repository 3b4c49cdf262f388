"""The operating system's account that runs the embedded server.

PostgreSQL refuses to run as root, so root hands it to an unprivileged account, and every folder
on the way to its programs and data must let that account through.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from leap_pipeline.errors import UserActionError

ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """An unprivileged account."""

    name: str
    uid: int
    gid: int


def is_root() -> bool:
    return os.geteuid() == 0


def server_account(data: Path) -> Account | None:
    """Who runs the server of the folder `data`; None means whoever runs this process.

    Raises UserActionError where root finds no account to hand it to.
    """
    if not is_root():
        return None
    if data.exists() and data.stat().st_uid != 0:
        return _account_of(data.stat().st_uid, data.stat().st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    msg = (
        "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody` "
        "to run it: make one, or set LEAP_DATABASE_URL."
    )
    raise UserActionError(msg)


def _account_of(uid: int, gid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, gid)
    return Account(entry.pw_name, uid, entry.pw_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """May the account pass every folder above `path`, and enter or run `path` itself?

    What does not exist yet is taken as made in the nearest folder that does.
    """
    if account is None:
        return True
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    existing = existing.resolve()
    return all(_may_enter(step, account) for step in (existing, *existing.parents))


def _may_enter(path: Path, account: Account) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
