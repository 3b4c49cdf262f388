"""Whether Zoom sent it, and what of it is needed. Signatures are openssl's, made beforehand."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.zoom_events import (
    Challenge,
    Concern,
    Ignored,
    ZoomEvent,
    concern_of,
    is_signed,
    is_timely,
    read_event,
)
from leap_pipeline.errors import InputError

# printf 'v0:1735689600:<body>' | openssl dgst -sha256 -hmac 'a-secret-token-of-zoom'
SECRET = "a-secret-token-of-zoom"
BODY = '{"event":"recording.completed","topic":"Лекция"}'.encode()
TIMESTAMP = "1735689600"
SIGNATURE = "v0=de586741616c8dda3edfc0dbd4c3af3bf6c6a577204c423257fc609c49b1bf32"
# printf '<token>' | openssl dgst -sha256 -hmac 'a-secret-token-of-zoom'
PLAIN = "qgg8vlvZRS6UYooatFL8Aw"
ENCRYPTED = "60eb65893ebb65f29d85eb218d638d1da5323941d21b77778c9093e098f0a58b"
AT = datetime.fromtimestamp(int(TIMESTAMP), UTC)
UUID = "/4444AAAi//AAAAiAiAiiAii=="
ABOUT = {"uuid": UUID, "host_id": "x1y", "host_email": "ada@example.edu", "id": 123, "type": 8}
PAYLOAD = {"account_id": "acc", "object": ABOUT}
COMPLETED = {"event": "recording.completed", "event_ts": 1735689600123, "payload": PAYLOAD}


def body(event: Any) -> bytes:
    return json.dumps(event).encode()


def read(**changes: Any) -> ZoomEvent:
    found = read_event(body(COMPLETED | changes))
    assert isinstance(found, ZoomEvent)
    return found


def test_a_signature_of_openssl_fits_and_nothing_else_does() -> None:
    assert is_signed(SECRET, TIMESTAMP, SIGNATURE, BODY)
    assert not is_signed(SECRET, TIMESTAMP, SIGNATURE, BODY + b" ")
    assert not is_signed(SECRET, "1735689601", SIGNATURE, BODY)
    assert not is_signed(SECRET + "x", TIMESTAMP, SIGNATURE, BODY)
    assert not is_signed(SECRET, TIMESTAMP, SIGNATURE[3:], BODY)
    assert not is_signed(SECRET, TIMESTAMP, SIGNATURE.upper(), BODY)
    assert not is_signed(SECRET, TIMESTAMP, "v0=é", BODY)


def test_what_json_says_again_has_another_signature() -> None:
    """The raw body counts: the same document, written anew, is not what was signed."""
    assert not is_signed(SECRET, TIMESTAMP, SIGNATURE, body(json.loads(BODY)))


@pytest.mark.parametrize("seconds", [-301, -300, 0, 300, 301])
def test_five_minutes_before_and_after_are_timely(seconds: int) -> None:
    assert is_timely(TIMESTAMP, AT + timedelta(seconds=seconds)) is (abs(seconds) <= 300)
    assert is_timely(TIMESTAMP + "999", AT + timedelta(seconds=seconds)) is (abs(seconds) <= 300)


@pytest.mark.parametrize(
    "timestamp",
    ["", "now", "-1735689600", "1735689600.0", " 1735689600", "١٧٣٥٦٨٩٦٠٠", "9" * 40, "0x67748580"],
    ids=range(8),
)
def test_what_is_no_time_is_never_timely(timestamp: str) -> None:
    assert not is_timely(timestamp, AT)


def test_a_challenge_is_answered_as_openssl_would() -> None:
    found = read_event(body({"event": "endpoint.url_validation", "payload": {"plainToken": PLAIN}}))
    assert isinstance(found, Challenge)
    assert found.answer(SECRET) == {"plainToken": PLAIN, "encryptedToken": ENCRYPTED}


@pytest.mark.parametrize("token", [f"v0:{TIMESTAMP}:{{}}", "", "a" * 201, "a b", 7, None])
def test_a_challenge_that_would_sign_something_else_is_refused(token: Any) -> None:
    with pytest.raises(InputError, match="plainToken"):
        read_event(body({"event": "endpoint.url_validation", "payload": {"plainToken": token}}))


def test_of_an_event_only_who_and_when_is_read() -> None:
    found = read(download_token="canary-token")
    assert (found.event, found.meeting, found.account) == ("recording.completed", UUID, "acc")
    assert (found.host_id, found.host_email) == ("x1y", "ada@example.edu")
    assert found.at == datetime.fromtimestamp(1735689600.123, UTC)
    assert "canary" not in repr(found)


@pytest.mark.parametrize(
    "name", ["recording.transcript_completed", "recording.deleted", "meeting.ended", "app_deleted"]
)
def test_other_events_are_ignored_whatever_they_hold(name: str) -> None:
    assert read_event(body({"event": name, "payload": {"object": 7}})) == Ignored(name)


def test_the_same_event_has_one_digest_and_every_other_one_of_its_own() -> None:
    same = read()
    others = [
        read(event="recording.renamed"),
        read(event_ts=1735689600124),
        read(payload={**PAYLOAD, "account_id": "other"}),
        read(payload={**PAYLOAD, "object": {**ABOUT, "uuid": "other"}}),
        read(event_ts=None),
        read(event_ts=None, more=1),
    ]
    digests = [each.digest(None) for each in (same, *others)] + [same.digest(7)]
    assert len(set(digests)) == len(digests)
    # Zoom may write it with other spaces when it sends it again.
    assert read_event(json.dumps(COMPLETED, indent=1).encode()).digest(None) == same.digest(None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"event": None}, "event"),
        ({"event": "a\x00b"}, "event"),
        ({"payload": []}, "payload"),
        ({"payload": {}}, "object"),
        ({"payload": {"object": {}}}, "object.uuid"),
        ({"payload": {"object": {"uuid": ""}}}, "object.uuid"),
        ({"payload": {"object": {"uuid": "a\x00"}}}, "object.uuid"),
        ({"payload": {"object": {"uuid": "u" * 256}}}, "object.uuid"),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_refused_with_its_path(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=rf"\({where}\)"):
        read(**changes)


@pytest.mark.parametrize("odd", ["", "a\x00b", "h" * 256, 7, [], {}], ids=range(6))
def test_odd_particulars_cost_only_themselves(odd: Any) -> None:
    about = {**ABOUT, "host_id": odd, "host_email": odd}
    found = read(payload={"account_id": odd, "object": about}, event_ts=odd)
    assert (found.account, found.host_id, found.host_email) == (None, None, None)
    assert found.meeting == UUID


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode()))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(read_event(raw), ZoomEvent | Challenge | Ignored)


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'{"a":' * 100_000, b'{"event": "\\ud800"}', b'{"event": 1e999}', b"\xff\xfe"],
    ids=["arrays", "objects", "surrogate", "infinity", "bytes"],
)
def test_bodies_made_to_break_readers_are_refused(raw: bytes) -> None:
    with pytest.raises(InputError):
        read_event(raw)


def test_whom_an_event_concerns() -> None:
    event = {"host_id": "x1y", "host_email": "Ada@Example.edu"}
    assert concern_of(None, **event) is Concern.YES
    assert concern_of("ada@example.EDU", **event) is Concern.YES
    assert concern_of("x1y", **event) is Concern.YES
    assert concern_of("bob@example.edu", **event) is Concern.NO
    assert concern_of("z9", **event) is Concern.NO
    assert concern_of("ada@example.edu", host_id="x1y", host_email=None) is Concern.MAYBE
    assert concern_of("x1y", host_id=None, host_email="ada@example.edu") is Concern.MAYBE
