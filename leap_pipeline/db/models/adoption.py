"""What was taken over from a database of the original platform, row by row: of the system."""

from __future__ import annotations

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import Base, BigSerialId, CreatedAt, UpdatedAt


class AdoptedRow(Base):
    """What became of one row of another database.

    `outcome` is taken, changed or left; `note` says how or why, one thing a line. `new_key` is the
    row that came of it: None where it was left. Rows that were taken are not taken again, also
    where they have been deleted here since.
    """

    __tablename__ = "adopted_rows"
    __table_args__ = (
        UniqueConstraint("source", "table_name", "old_key", name="uq_adopted_rows_row"),
    )

    id: Mapped[BigSerialId]
    source: Mapped[str] = mapped_column(String(64))
    table_name: Mapped[str] = mapped_column(String(63))
    old_key: Mapped[str] = mapped_column(String(255))
    new_key: Mapped[str | None] = mapped_column(String(255))
    outcome: Mapped[str] = mapped_column(String(20))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
