"""The rows of what lies in storage: written after the bytes, with the row that names them."""

from __future__ import annotations

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.runs import StoredObject


def store_object(
    session: Session,
    user_id: str,
    kind: str,
    path: str,
    size: int,
    *,
    recording_id: int | None = None,
) -> None:
    """A file of so many bytes lies at `path`, whatever lay there before."""
    session.execute(
        insert(StoredObject)
        .values(user_id=user_id, recording_id=recording_id, kind=kind, path=path, bytes=size)
        .on_conflict_do_update(
            index_elements=[StoredObject.user_id, StoredObject.path],
            set_={"bytes": size, "kind": kind, "updated_at": func.now()},
        )
    )
