"""Where files are downloaded: `/rec/download/ID` answers 302 to a signed address of the CDN."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.zoom.content import CHUNK, Content
from tests.support.zoom.faults import LOGIN_PAGE, Fault
from tests.support.zoom.ledger import Ledger
from tests.support.zoom.tokens import Tokens
from tests.support.zoom.world import File, Meeting

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass
class Cdn:
    """The file server's own settings, for tests to change.

    `ranges`: whether it knows Range; `etags`: whether it names versions; `lifetime`: how long a
    signed address works; `anonymous`: what a download without a token gets, the login page or 401.
    """

    ranges: bool = True
    etags: bool = True
    lifetime: timedelta = timedelta(hours=2)
    anonymous: int = 200
    content_type: str = "video/mp4"
    download_tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    signed: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def download_token(self, uuid: str, now: datetime, ttl: float) -> str:
        token = f"eyJ{secrets.token_urlsafe(64)}"
        with self._lock:
            self.download_tokens[token] = (uuid, now + timedelta(seconds=ttl))
        return token

    def redirect(
        self,
        request: httpx.Request,
        found: tuple[Meeting, File] | None,
        tokens: Tokens,
        now: datetime,
        cdn_url: str,
    ) -> httpx.Response:
        """The answer of `/rec/download/ID`."""
        header = request.headers.get("authorization")
        if header is None and self.anonymous == 200:
            html = {"Content-Type": "text/html; charset=utf-8"}
            return httpx.Response(200, content=LOGIN_PAGE, headers=html)
        if found is None:
            return httpx.Response(404, json={"code": 3301, "message": "There is no recording."})
        meeting, file = found
        if not self._allowed((header or "").partition(" ")[2], meeting, tokens, now):
            return httpx.Response(401, json={"code": 124, "message": "Invalid access token."})
        if meeting.absent(now) or not file.shown(now) or not file.ready(now):
            return httpx.Response(404, json={"code": 3301, "message": "There is no recording."})
        signature = secrets.token_hex(16)
        with self._lock:
            self.signed[signature] = (file.id(now), now + self.lifetime)
        address = f"{cdn_url}/cdn/{file.id(now)}.mp4?Signature={signature}"
        return httpx.Response(302, headers={"Location": address})

    def _allowed(self, token: str, meeting: Meeting, tokens: Tokens, now: datetime) -> bool:
        uuid, expires_at = self.download_tokens.get(token, ("", now))
        if uuid == meeting.uuid and now < expires_at:
            return True
        grant = tokens.access.get(token)
        if grant is None or grant.family in tokens.ended or grant.expires_at <= now:
            return False
        return grant.account_id == meeting.account_id

    def signed_id(self, request: httpx.Request, now: datetime) -> str | int:
        """The file id that a signed address is good for, or the status that refuses it."""
        if "authorization" in request.headers:
            return 400  # as object stores do: one way of authorisation, not two
        query = parse_qs(urlsplit(request.url.raw_path.decode()).query)
        named, expires_at = self.signed.get(query.get("Signature", [""])[0], ("", now))
        path = request.url.path.rsplit("/", 1)[-1].removesuffix(".mp4")
        if named != path or expires_at <= now:
            return 403
        return named

    def serve(self, request: httpx.Request, content: Content, since: datetime) -> Served:
        """The whole file or a part of it, as RFC 9110 says."""
        modified = format_datetime(max(since, datetime(2000, 1, 1, tzinfo=UTC)), usegmt=True)
        headers = {"Content-Type": self.content_type, "Last-Modified": modified}
        if self.etags:
            headers["ETag"] = content.etag
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        wanted = self._range(request, content, modified)
        if wanted is None:
            return Served(200, headers, content, 0, content.size)
        start, stop = wanted
        if start >= stop:
            headers["Content-Range"] = f"bytes */{content.size}"
            return Served(416, headers, content, 0, 0)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{content.size}"
        return Served(206, headers, content, start, stop)

    def _range(
        self, request: httpx.Request, content: Content, modified: str
    ) -> tuple[int, int] | None:
        """[start, stop) of the one range asked for; empty if none of it exists; None = all."""
        found = _RANGE.fullmatch(request.headers.get("range", ""))
        if not self.ranges or found is None or found.groups() == ("", ""):
            return None
        condition = request.headers.get("if-range")
        known = (content.etag,) if self.etags else (modified,)
        if condition is not None and condition not in known:
            return None
        first, last = found.groups()
        if not first:
            return max(0, content.size - int(last)), content.size if int(last) else 0
        stop = min(content.size, int(last) + 1) if last else content.size
        return int(first), stop


@dataclass(frozen=True)
class Served:
    """An answer with the bytes [start, stop) of a content."""

    status: int
    headers: dict[str, str]
    content: Content
    start: int
    stop: int

    def response(
        self,
        method: str,
        fault: Fault | None,
        sleep: Callable[[float], None],
        ledger: Ledger,
        number: int,
    ) -> httpx.Response:
        headers = {**self.headers, "Content-Length": str(self.stop - self.start)}
        if method == "HEAD":
            return httpx.Response(self.status, headers=headers)
        body = self._body(fault, sleep, ledger, number)
        return httpx.Response(self.status, headers=headers, content=body)

    def _body(
        self, fault: Fault | None, sleep: Callable[[float], None], ledger: Ledger, number: int
    ) -> Iterator[bytes]:
        length = self.stop - self.start
        end = length if fault is None or fault.cut_at is None else min(length, fault.cut_at)
        rate = fault.rate if fault is not None else None
        size = CHUNK if rate is None else max(1, min(CHUNK, int(rate / 10)))
        sent = 0
        try:
            for chunk in self.content.chunks(self.start, self.start + end, size):
                if rate is not None:
                    sleep(len(chunk) / rate)
                sent += len(chunk)
                yield chunk
            if end < length:
                msg = f"peer closed connection: received {sent} bytes, expected {length}"
                raise httpx.RemoteProtocolError(msg)
        finally:
            ledger.close(number, sent, whole=sent == length)
