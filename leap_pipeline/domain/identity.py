"""Names that hang together across PostgreSQL, Dagster and storage."""

from __future__ import annotations

import re

from leap_pipeline.errors import InputError

_PARTITION = re.compile(r"[0-9]{6,}-([0-9]+)")
_NUMBER = re.compile(r"[0-9]+")
_LARGEST = 2**31 - 1  # `recordings.id` is an INTEGER


def partition_key(user_slug: int, recording_id: int) -> str:
    """`000001-142`: the owner's slug and the recording's id."""
    return f"{user_slug:06d}-{recording_id}"


def job_name(user_slug: int, job_id: int) -> str:
    """`automation_000001_7`: the owner's slug and the job's id, in Dagster and for Celery."""
    return f"automation_{user_slug:06d}_{job_id}"


def recording_of(key: str) -> int:
    """The recording's id in a partition key, or in a bare number as people type it."""
    found = _PARTITION.fullmatch(key)
    number = found.group(1) if found else key
    if _NUMBER.fullmatch(number) and len(number) < 20 and int(number) <= _LARGEST:
        return int(number)
    msg = f"“{key}” is no recording: give its number (142) or its partition (000001-142)."
    raise InputError(msg)
