"""Accounts to log in with, cheap passwords, and races of real processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import LoginAttempt
from leap_pipeline.db.models.users import User
from leap_pipeline.domain import throttling
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.domain.permissions import Role
from leap_pipeline.security import passwords
from leap_pipeline.services import login, login_attempts
from leap_pipeline.services.audit import AuditFilter, entries
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings

PASSWORD = "correct horse battery"
ADA = "ada@example.org"
HOME, CAFE, LAIR = "192.0.2.7", "198.51.100.1", "203.0.113.9"
FIRST_WAIT = timedelta(seconds=50)
CHEAP = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}


@dataclass
class Accounts:
    """One database, whose users each test makes anew, and sessions in it."""

    database: Database
    sessions: Sessions
    home: Path

    def add(self, email: str = ADA, *, role: Role = Role.USER, password: str = PASSWORD) -> str:
        with self.database.system() as session:
            return add_user(session, email, password=password, role=role).id

    def user(self, user_id: str) -> User:
        with self.database.system() as session:
            return session.scalars(
                select(User).where(User.id == user_id).options(lazyload("*"))
            ).one()

    def login(self, address: str = HOME, email: str = ADA, password: str = PASSWORD) -> str:
        return self.sessions.login(email, password, Origin.of(address, "Firefox")).token

    def run(self, statement: str, **values: object) -> None:
        with self.database.system() as session:
            session.execute(text(statement), values)

    def later(self, seconds: float) -> None:
        """Everything that was noted happened so much earlier: the clock is the database's."""
        for table, columns in {
            "login_attempts": ("at",),
            "refresh_tokens": ("created_at", "expires_at", "replaced_at"),
            "one_time_links": ("expires_at",),
        }.items():
            moved = ", ".join(f"{name} = {name} - :s * interval '1 second'" for name in columns)
            self.run(f"UPDATE {table} SET {moved}", s=seconds)

    def actions(self, user_id: str) -> list[str]:
        """What the audit log says of the user, oldest first."""
        with self.database.system() as session:
            found = entries(session, AuditFilter(owner_id=user_id))
        return [entry.action for entry in reversed(found)]

    def opened(self) -> tuple[Database, Sessions]:
        """The same in a child process, which shares no connection with its parent."""
        database = Database(self.database.urls)
        return database, Sessions(database, Settings(home=self.home))


@contextmanager
def cheap_logins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes that cost nothing, failures that are answered at once, waits that no slow test sits
    through.
    """
    with monkeypatch.context() as patched:
        patched.setattr(passwords, "PARAMETERS", CHEAP)
        patched.setattr(login, "FAILURE_SECONDS", 0.0)
        for name in ("ACCOUNT", "ADDRESS"):
            patient = replace(getattr(throttling, name), first=FIRST_WAIT)
            patched.setattr(login_attempts, name, patient)
        yield


def make_accounts(database: Database, home: Path) -> Accounts:
    with database.system() as session:
        session.execute(delete(User))
        session.execute(delete(LoginAttempt))
    return Accounts(database, Sessions(database, Settings(home=home)), home)


def race(racers: Sequence[Callable[[], str]]) -> list[str]:
    """Run each in a process of its own, all at the same moment; what they said, in their order.

    Forked, so that they start at once and see what a test has patched.
    """
    context = multiprocessing.get_context("fork")
    start = context.Barrier(len(racers))
    pipes = [context.Pipe(duplex=False) for _ in racers]

    def run(number: int) -> None:
        try:
            start.wait(timeout=30)
            pipes[number][1].send(racers[number]())
        except BaseException:  # noqa: BLE001 - border of the process
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)  # the parent's pools and fixtures are not this process's to close

    processes = [context.Process(target=run, args=(number,)) for number in range(len(racers))]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * len(racers)
    return [pipe[0].recv() for pipe in pipes]
