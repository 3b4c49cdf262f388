"""Names that hang together across PostgreSQL, Dagster and storage."""

from __future__ import annotations

import re

from leap_pipeline.errors import InputError

_PARTITION = re.compile(r"^(\d{6,})-(\d+)$")


def partition_key(user_slug: int, recording_id: int) -> str:
    """`000001-142`: the owner's slug and the recording's id."""
    return f"{user_slug:06d}-{recording_id}"


def recording_of(key: str) -> int:
    """The recording's id in a partition key, or in a bare number as people type it."""
    found = _PARTITION.match(key)
    if found is not None:
        return int(found.group(2))
    if key.isdecimal():
        return int(key)
    msg = f"“{key}” is no recording: give its number (142) or its partition (000001-142)."
    raise InputError(msg)
