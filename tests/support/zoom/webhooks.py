"""What Zoom sends by itself: signed events, as requests to be given to a receiver."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.support.zoom import answers
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.world import Meeting

TOKEN_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Delivery:
    """One POST: the raw body and its headers."""

    body: bytes
    headers: Mapping[str, str]

    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


def sign(secret: str, timestamp: str, body: bytes) -> str:
    message = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def delivery(secret: str, event: Mapping[str, Any], now: datetime) -> Delivery:
    """The event signed with the app's secret token at `now`."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    timestamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": sign(secret, timestamp, body),
    }
    return Delivery(body, headers)


def url_validation(plain: str, now: datetime) -> dict[str, Any]:
    return {
        "event": "endpoint.url_validation",
        "event_ts": round(now.timestamp() * 1000),
        "payload": {"plainToken": plain},
    }


def completed(fake: FakeZoom, meeting: Meeting) -> dict[str, Any]:
    """`recording.completed` of the meeting as it is now, with a download token for 24 hours."""
    now = fake.now()
    body = answers.meeting_body(meeting, now, fake.files_url)
    # Transcripts have an event of their own.
    said = [file for file in body.pop("recording_files") if file["file_type"] != "TRANSCRIPT"]
    files = [_webhook_file(file) for file in said]
    host = fake.world.users[meeting.host_id]
    return {
        "event": "recording.completed",
        "event_ts": round(now.timestamp() * 1000),
        "download_token": fake.cdn.download_token(meeting.uuid, now, TOKEN_SECONDS),
        "payload": {
            "account_id": meeting.account_id,
            "object": {
                **body,
                "type": meeting.type,
                "timezone": meeting.timezone,
                "host_email": host.email,
                "password": meeting.passcode,
                "share_url": f"{fake.files_url}/rec/share/{meeting.number}",
                "recording_files": files,
            },
        },
    }


def renamed(fake: FakeZoom, meeting: Meeting, before: str) -> dict[str, Any]:
    """`recording.renamed` from the topic `before` to the one that the meeting has now."""
    now = fake.now()
    host = fake.world.users[meeting.host_id]

    def shape(topic: str) -> dict[str, Any]:
        return {
            "uuid": meeting.uuid,
            "id": meeting.number,
            "topic": topic,
            "type": meeting.type,
            "host_id": meeting.host_id,
        }

    return {
        "event": "recording.renamed",
        "event_ts": round(now.timestamp() * 1000),
        "payload": {
            "account_id": meeting.account_id,
            "operator": host.email,
            "operator_id": host.id,
            "time_stamp": round(now.timestamp() * 1000),
            "object": shape(meeting.topic(now)),
            "old_object": shape(before),
        },
    }


def _webhook_file(file: dict[str, Any]) -> dict[str, Any]:
    """The webhook names every file, also one that is still being prepared."""
    unready = {"id": "", "download_url": "", "recording_type": "shared_screen"}
    return {**unready, **file}
