"""When a video that cannot be found counts as surely not there, so that it may be sent again. Pure.

A platform may show a video only some time after it has taken its last byte, so one look that finds
nothing proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from leap_pipeline.domain.states import Platform

LOOKS = 2
"""So many in a row must find nothing."""
LOOK_GAP: Mapping[Platform, timedelta] = {
    Platform.YOUTUBE: timedelta(minutes=40),
    Platform.VK: timedelta(minutes=5),
}
"""Between them. YouTube is searched by a list that comes late, VK asked by the id that the video
has from the beginning.
"""


def look_due(
    platform: Platform, closing_at: datetime | None, absences: int, absent_at: datetime | None
) -> datetime | None:
    """When a video whose session is gone is to be looked for (again); None: it is surely not there.

    `closing_at` is when the bytes that could complete it first went out; None: they never did.
    `absences` looks in a row have found nothing, the last of them at `absent_at`. What is due at
    `closing_at` is due at once.
    """
    if closing_at is None:
        return None
    if absent_at is None or absences < 1:
        return closing_at
    return absent_at + LOOK_GAP[platform] if absences < LOOKS else None
