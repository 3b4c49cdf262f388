"""Every secret that the database holds: where they are, and which keys they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Row, func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.metadata import metadata
from leap_pipeline.security.vault import Vault

# Every column that holds tokens of the vault; its table has an integer `id`.
_TABLES = metadata.tables
ENCRYPTED: tuple[Column[str], ...] = (
    _TABLES["user_credentials"].c.encrypted_data,
    _TABLES["upload_sessions"].c.session,
    _TABLES["oauth_states"].c.verifier,
    _TABLES["notice_channels"].c.address,
)

BATCH = 100


@dataclass(frozen=True)
class Unreadable:
    """A token that no key opens."""

    table: str
    id: int


@dataclass(frozen=True)
class Inventory:
    """What the stored tokens need: how many the first key wrote, and how many an older one."""

    total: int = 0
    current: int = 0
    older: int = 0
    unreadable: tuple[Unreadable, ...] = ()


def take_stock(database: Database, vault: Vault) -> Inventory:
    """Try every stored token."""
    current = older = 0
    unreadable = []
    for column, rows in batches(database):
        for number, token in rows:
            if vault.is_current(token):
                current += 1
            elif vault.can_decrypt(token):
                older += 1
            else:
                unreadable.append(Unreadable(column.table.name, number))
    return Inventory(current + older + len(unreadable), current, older, tuple(unreadable))


def count_secrets(database: Database) -> int:
    """How many tokens are stored."""
    with database.system() as session:
        return sum(session.scalar(select(func.count(column))) or 0 for column in ENCRYPTED)


def batches(database: Database) -> Iterator[tuple[Column[str], Sequence[Row[int, str]]]]:
    """All tokens by id, each batch read in a transaction of its own."""
    for column in ENCRYPTED:
        last = 0
        while True:
            with database.system() as session:
                rows = rows_after(session, column, last)
            if not rows:
                break
            last = rows[-1][0]
            yield column, rows


def rows_after(session: Session, column: Column[str], last: int) -> Sequence[Row[int, str]]:
    """(id, token) of the next rows."""
    number = column.table.c.id
    return session.execute(
        select(number, column)
        .where(number > last, column.is_not(None))
        .order_by(number)
        .limit(BATCH)
    ).all()
