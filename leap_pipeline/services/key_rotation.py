"""Changing the encryption key while everybody reads and writes.

A new key goes to the head of the key file first, so that from the next look on all processes write
with it, and can read what it wrote. Then every stored token is written anew, and the old keys stay
until nothing needs them (`retire`). Which key wrote a token is asked of the token itself: nothing
else says how far the work is, so it may be killed at any instant and goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Text, cast, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.errors import TransientError, Undecryptable, UserActionError
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.runtime_files import file_lock
from leap_pipeline.security.keys import VARIABLE, KeyFile, key_source, new_key
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import SYSTEM, Actor, record
from leap_pipeline.services.credentials import KEYS_IN_USE
from leap_pipeline.services.stored_secrets import (
    ENCRYPTED,
    Inventory,
    Unreadable,
    batches,
    count_secrets,
    rows_after,
    take_stock,
)
from leap_pipeline.settings import Settings

LOCK = "encryption.rotation.lock"
LOCK_SECONDS = 1.0
PASSES, PAUSE_SECONDS = 20, 0.2
ATTEMPTS = 5
# How long `retire` waits for writers, all of whom wait for it meanwhile.
WAIT = text("SET LOCAL lock_timeout = '10s'")


Change = tuple[int, str, str]
"""Of a row: its id, the token read, the token to put there."""


@dataclass(frozen=True)
class Rotation:
    """What a rotation did."""

    source: str
    made_key: bool
    """False where an interrupted rotation was brought to its end instead."""
    reencrypted: int
    total: int
    keys: int
    unreadable: tuple[Unreadable, ...]
    retired: int = 0
    """Old keys that were taken away."""


def rotate(
    database: Database,
    settings: Settings,
    *,
    actor: Actor = SYSTEM,
    progress: ProgressCallback = ignore,
) -> Rotation:
    """Make a new key and write every secret with it; or finish a rotation that was interrupted.

    With keys in the environment it makes none, for it cannot put one there. What no key opens is
    left as it is and reported. Raises UserActionError where there is nothing to rotate to,
    TransientError where another rotation runs.
    """
    with _alone(settings):
        source = key_source(settings)
        if isinstance(source, KeyFile):
            source.ensure()
        vault = Vault(source)
        unfinished = _needs_older(database, vault)
        if not unfinished:
            if not isinstance(source, KeyFile):
                raise _advice(vault)
            with source.locked():
                source.write((new_key(), *source.read()))
        reencrypted, left = _reencrypt_all(database, vault, progress)
        done = Rotation(
            source=source.name,
            made_key=not unfinished,
            reencrypted=reencrypted,
            total=left.total,
            keys=vault.key_count,
            unreadable=left.unreadable,
        )
        return _recorded(database, "rotate", done, actor)


def retire(
    database: Database,
    settings: Settings,
    *,
    actor: Actor = SYSTEM,
    progress: ProgressCallback = ignore,
) -> Rotation:
    """Write with the first key what an older one wrote, then take the older keys away.

    Raises UserActionError where the keys are in the environment, where they stay.
    """
    with _alone(settings):
        source = key_source(settings)
        vault = Vault(source)
        reencrypted, left = _reencrypt_all(database, vault, progress)
        if not isinstance(source, KeyFile):
            msg = (
                f"Nothing stored needs the older keys of {VARIABLE}: take all but the first out of "
                "it where it is set, and restart every process."
            )
            raise UserActionError(msg)
        with _nobody_writes(database) as session, source.locked():
            # Once more, for what was written since; from here on nothing is.
            _refuse_needed(session, vault)
            first, *older = source.read()
            source.write((first,))
        done = Rotation(
            source=source.name,
            made_key=False,
            reencrypted=reencrypted,
            total=left.total,
            keys=1,
            unreadable=left.unreadable,
            retired=len(older),
        )
        return _recorded(database, "retire", done, actor)


def _recorded(database: Database, action: str, done: Rotation, actor: Actor) -> Rotation:
    after = {"made": done.made_key, "reencrypted": done.reencrypted, "retired": done.retired}
    with database.system() as session:
        record(session, actor, f"encryption.{action}", "encryption", "", owner_id=None, after=after)
    return done


def _alone(settings: Settings) -> AbstractContextManager[int]:
    settings.home.mkdir(parents=True, exist_ok=True)
    return file_lock(settings.home / LOCK, timeout=LOCK_SECONDS, what="The rotation of keys")


def _advice(vault: Vault) -> UserActionError:
    """What to do where the environment has the keys and nothing is left to be rewritten."""
    if vault.key_count == 1:
        msg = (
            f"{VARIABLE} holds one key, and LEAP cannot change it there: make a key with `leap "
            "credentials new-key`, put it and a comma before the old one, restart every process, "
            "and run this again."
        )
    else:
        msg = (
            f"Every secret is written with the first key of {VARIABLE} already: take the others "
            "out of it and restart every process."
        )
    return UserActionError(msg)


def _needs_older(database: Database, vault: Vault) -> bool:
    return any(
        vault.needs_older(token) for _column, rows in batches(database) for _number, token in rows
    )


def _reencrypt_all(
    database: Database, vault: Vault, progress: ProgressCallback
) -> tuple[int, Inventory]:
    """Pass by pass, until a look finds nothing that an older key wrote."""
    done = 0
    for attempt in range(PASSES):
        done += _reencrypt_once(database, vault, progress)
        left = take_stock(database, vault)
        if not left.older:
            return done, left
        # Somebody wrote while we did; a row that is often written comes at last.
        time.sleep(PAUSE_SECONDS * (attempt > 0))
    msg = f"{left.older} secrets were written with an older key meanwhile: run this again."
    raise TransientError(msg)


def _reencrypt_once(database: Database, vault: Vault, progress: ProgressCallback) -> int:
    expected = max(1, count_secrets(database))
    seen = done = 0
    for column, rows in batches(database):
        seen += len(rows)
        changes = [
            (number, token, fresh)
            for number, token in rows
            if not vault.is_current(token) and (fresh := _fresh(vault, token)) is not None
        ]
        if changes:
            done += _replace(database, column, changes)
        progress(min(1.0, seen / expected))
    return done


def _fresh(vault: Vault, token: str) -> str | None:
    try:
        return vault.reencrypt(token)
    except Undecryptable:
        return None


def _replace(database: Database, column: Column[str], changes: Sequence[Change]) -> int:
    """Put new tokens for old ones, and none where the old one is no longer there: its user's newer
    one stays. The number replaced.
    """
    numbers, olds, fresh = (list(each) for each in zip(*changes, strict=True))
    given = (
        func.unnest(
            cast(numbers, ARRAY(BigInteger)), cast(olds, ARRAY(Text)), cast(fresh, ARRAY(Text))
        )
        .table_valued("id", "old", "new")
        .render_derived(name="given")
    )
    table = column.table
    statement = (
        update(table)
        .where(table.c.id == given.c.id, column == given.c.old)
        .values({column: given.c.new})
    )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with database.system() as session:
                return session.connection().execute(statement).rowcount
        except TransientError:
            if attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_SECONDS * attempt)
    return 0


@contextmanager
def _nobody_writes(database: Database) -> Iterator[Session]:
    """A transaction in which no secret is being written, and none begins to be."""
    with database.system() as session:
        session.execute(WAIT)
        session.execute(select(func.pg_advisory_xact_lock(*KEYS_IN_USE)))
        yield session


def _refuse_needed(session: Session, vault: Vault) -> None:
    needed = 0
    for column in ENCRYPTED:
        last = 0
        while rows := rows_after(session, column, last):
            last = rows[-1][0]
            needed += sum(vault.needs_older(token) for _number, token in rows)
    if needed:
        msg = f"{needed} secrets were written with an older key just now: run this again."
        raise TransientError(msg)
