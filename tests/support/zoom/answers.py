"""The bodies of Zoom's answers, in the shapes of its documentation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.support.zoom.parameters import Listing
from tests.support.zoom.world import File, Meeting


def stamp(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def file_body(meeting: Meeting, file: File, now: datetime, files_url: str) -> dict[str, Any]:
    """One of `recording_files`: without id, size and address while it is being prepared."""
    body: dict[str, Any] = {
        "meeting_id": meeting.uuid,
        "recording_start": stamp(file.start),
        "recording_end": stamp(file.end),
        "file_type": file.file_type,
        "file_extension": file.extension,
        "status": "completed" if file.ready(now) else "processing",
    }
    if file.recording_type is not None:
        body["recording_type"] = file.recording_type
    if not file.ready(now):
        return {**body, "file_size": 0}
    name = quote(file.id(now), safe="")
    return {
        **body,
        "id": file.id(now),
        "file_size": file.content(now).size,
        "play_url": f"{files_url}/rec/play/{name}",
        "download_url": f"{files_url}/rec/download/{name}",
    }


def meeting_body(meeting: Meeting, now: datetime, files_url: str) -> dict[str, Any]:
    files = [file_body(meeting, file, now, files_url) for file in meeting.shown_files(now)]
    return {
        "uuid": meeting.uuid,
        "id": meeting.number,
        "account_id": meeting.account_id,
        "host_id": meeting.host_id,
        "topic": meeting.topic(now),
        "type": str(meeting.type),
        "start_time": stamp(meeting.start),
        "duration": meeting.duration,
        "total_size": sum(file["file_size"] for file in files),
        "recording_count": len(files),
        "recording_play_passcode": meeting.passcode,
        "recording_files": files,
    }


def page_body(
    asked: Listing, meetings: Sequence[dict[str, Any]], total: int, next_token: str
) -> dict[str, Any]:
    return {
        "from": asked.first.isoformat(),
        "to": asked.last.isoformat(),
        "next_page_token": next_token,
        "page_count": max(1, -(-total // asked.page_size)),
        "page_size": asked.page_size,
        "total_records": total,
        "meetings": list(meetings),
    }
