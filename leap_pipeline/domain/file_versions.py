"""Which version of a remote file bytes belong to.

Bytes of two answers may be put together only where a strong validator says that both are of one
version (RFC 9110, 8.8.1 and 13.1.5); the same length proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

STRONG_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class FileVersion:
    """`total` in bytes, None where the server does not say; `identity` is the source's own name."""

    total: int | None
    etag: str | None = None
    modified: str | None = None
    identity: str = ""

    @property
    def validator(self) -> str | None:
        """For If-Range; None where parts of this version cannot be told from another's."""
        return self.etag or self.modified

    def allows(self, headers: Mapping[str, str], total: int | None) -> bool:
        """Whether a partial answer to this validator is of this version.

        An answer must repeat the ETag (RFC 9110, 15.3.7), and may leave out Last-Modified.
        """
        if total != self.total:
            return False
        if self.etag is not None:
            return headers.get("etag", "").strip() == self.etag
        told = headers.get("last-modified")
        return told is None or told.strip() == self.modified

    def to_json(self) -> dict[str, object]:
        return {
            "total": self.total,
            "etag": self.etag,
            "modified": self.modified,
            "identity": self.identity,
        }


def version_of(
    headers: Mapping[str, str], total: int | None, identity: str, received_at: datetime
) -> FileVersion:
    """What an answer says of its version; only strong validators are kept."""
    etag = headers.get("etag", "").strip()
    strong = etag.startswith('"') and etag.endswith('"') and len(etag) > 1
    modified = _strong_date(headers, received_at)
    return FileVersion(total, etag if strong else None, modified, identity)


def _strong_date(headers: Mapping[str, str], received_at: datetime) -> str | None:
    """Last-Modified where the file cannot have changed twice within its second; else None.

    The answer's Date must be clearly later (RFC 9110, 8.8.2.2); without one, its arrival counts.
    """
    told, date = headers.get("last-modified", "").strip(), headers.get("date", "").strip()
    try:
        answered = parsedate_to_datetime(date) if date else received_at
        apart = answered - parsedate_to_datetime(told)
    except (ValueError, TypeError, OverflowError):
        return None
    return told if apart >= STRONG_AFTER else None
