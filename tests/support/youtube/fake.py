"""A fake of YouTube: its Data API and its resumable uploads behind one function.

`FakeYouTube().handle(request)` depends on the request, the world that a test described and the
clock; it opens no socket. Every request is checked against Google's own description of the API, and
all of them are in `fake.ledger`. Use it through `fake.client()` in this process, or over a socket
(see serve.py).
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.support.youtube import methods, multipart, resumable
from tests.support.youtube.discovery import Contract, Method, contract
from tests.support.youtube.errors import HungUp, Refused, out_of_quota
from tests.support.youtube.faults import Fault, Faults
from tests.support.youtube.ledger import Ledger
from tests.support.youtube.world import (
    UPLOAD_SCOPES,
    Channel,
    Grant,
    Playlist,
    Spending,
    Video,
    World,
)

ROOT = "https://youtube.googleapis.com"
BLOCK = 64 * 1024


@dataclass
class Call:
    """A request on its way through: what the ledger will say of it."""

    verb: str
    url: httpx.URL
    headers: httpx.Headers
    body: Iterator[bytes]
    now: datetime
    name: str = "unknown"
    params: dict[str, str] = field(default_factory=dict)
    method: Method | None = None
    grant: Grant | None = None
    fault: Fault | None = None
    noted: dict[str, Any] = field(default_factory=dict)

    def note(self, **values: Any) -> None:
        self.noted.update(values)

    @property
    def channel(self) -> str:
        """Of the token; or Refused."""
        if self.grant is None or self.grant.channel is None:
            raise Refused(401, "youtubeSignupRequired", "Unauthorized")
        return self.grant.channel

    def content(self) -> bytes:
        found = b"".join(self.body)
        self.note(received=len(found))
        return found


class FakeYouTube:
    """See the module. `sleep` is what slowness waits with."""

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.sleep = sleep
        self.world = World()
        self.ledger = Ledger()
        self.faults = Faults()
        self.contract: Contract = contract()
        self.root_url = ROOT
        self.lock = threading.RLock()
        self._numbers = itertools.count(1)

    def add_channel(self, title: str = "Lectures") -> Channel:
        channel = Channel(f"UC{self.new_id(22)}", title)
        self.world.channels[channel.id] = channel
        return channel

    def add_playlist(self, channel: Channel) -> Playlist:
        playlist = Playlist(f"PL{self.new_id(32)}", channel.id)
        self.world.playlists[playlist.id] = playlist
        return playlist

    def add_grant(
        self,
        channel: Channel | None,
        *,
        scopes: Iterable[str] = UPLOAD_SCOPES,
        project: str = "100",
        lives: timedelta | None = None,
    ) -> str:
        """A token of a channel's owner for an app of a project."""
        token = f"ya29.{self.new_id(40)}"
        until = None if lives is None else self.clock() + lives
        name = None if channel is None else channel.id
        self.world.grants[token] = Grant(name, frozenset(scopes), project, until)
        self.project(project)
        return token

    def project(self, name: str = "100") -> Spending:
        return self.world.projects.setdefault(name, Spending())

    def revoke(self, token: str) -> None:
        self.world.grants.pop(token, None)

    def fail(self, fault: Fault) -> Fault:
        return self.faults.add(fault)

    def videos(self) -> list[Video]:
        """Those that are there."""
        with self.lock:
            return [each for each in self.world.videos.values() if not each.deleted]

    def new_id(self, length: int) -> str:
        """Never the same twice, and the same in every run of a test."""
        number = next(self._numbers)
        return f"{number:x}{'abcdefghjkmnpqrstuvwxyz' * 2}"[:length]

    def client(self) -> httpx.Client:
        """A client whose every address is this fake."""
        return httpx.Client(transport=FakeTransport(self))

    def handle(
        self, verb: str, url: httpx.URL, headers: Mapping[str, str], body: Iterable[bytes]
    ) -> httpx.Response:
        """Raises HungUp where the connection ends without an answer."""
        call = Call(verb, url, httpx.Headers(dict(headers)), iter(body), self.clock())
        try:
            response = self._answer(call)
        except Refused as refused:
            response = _json(refused.status, refused.body, refused.headers)
            call.note(reason=refused.reason)
        except HungUp:
            self._write(call, 0)
            raise
        self._write(call, response.status_code)
        if call.fault is not None and call.fault.kind in ("lost", "gone_after"):
            raise HungUp
        return response

    def _answer(self, call: Call) -> httpx.Response:
        self._identify(call)
        call.fault = self.faults.hitting(call.name)
        if call.fault is not None:
            self._early(call, call.fault)
        with self.lock:
            self._authorize(call)
        if call.name.startswith("session."):
            return resumable.answer(self, call)
        assert call.method is not None
        with self.lock:
            return self._called(call, call.method)

    def _identify(self, call: Call) -> None:
        path = call.url.path
        upload_id = call.url.params.get("upload_id")
        if upload_id is not None and call.verb in ("PUT", "DELETE"):
            call.name = resumable.name_of(call.verb, call.headers)
            return
        call.method = self.contract.method(call.verb, path)
        call.name = call.method.id
        call.params = self.contract.params(call.method, call.url.params.multi_items())

    def _early(self, call: Call, fault: Fault) -> None:
        if fault.delay:
            self.sleep(fault.delay)
        if fault.kind == "early_loss" or (fault.kind == "cut" and call.name != "session.put"):
            raise HungUp(early=True)
        if fault.kind == "status" and call.name != "session.put":
            raise fault.refusal()

    def _authorize(self, call: Call) -> None:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        grant = self.world.grants.get(token) if kind == "Bearer" else None
        if grant is None or (grant.until is not None and grant.until <= call.now):
            raise Refused(401, "authError", "Invalid Credentials", domain="global")
        call.grant = grant
        call.note(channel=grant.channel, project=grant.project)
        if call.method is not None and not grant.scopes & call.method.scopes:
            message = "Request had insufficient authentication scopes."
            raise Refused(403, "insufficientPermissions", message, domain="global")

    def _called(self, call: Call, method: Method) -> httpx.Response:
        assert call.grant is not None
        if not self.project(call.grant.project).take(method.id, call.now):
            raise out_of_quota()
        parts = self.contract.parts(method, call.params)
        if method.uploads:
            return self._uploaded(call, method, parts)
        document: dict[str, Any] = {}
        if "request" in method.described:
            document = self.contract.body(method, _document(call), parts)
        body = methods.METHODS[method.id](self, call, parts, document)
        return self._good(method, body)

    def _uploaded(self, call: Call, method: Method, parts: tuple[str, ...]) -> httpx.Response:
        how = call.params.get("uploadType")
        if how == "resumable" and method.id == "videos.insert":
            document = self.contract.body(method, _document(call), parts)
            return resumable.opened(self, call, parts, document)
        if how == "media":
            sent = multipart.Upload({}, call.headers.get("content-type", ""), call.content())
        elif how == "multipart":
            sent = multipart.read(call.headers.get("content-type", ""), call.content())
        else:
            raise Refused(400, "badRequest", f"The fake takes no {how} upload here.")
        if "request" in method.described:
            self.contract.body(method, sent.document, parts)
        elif sent.document:
            raise Refused(400, "badRequest", "This upload has no document.")
        _takes(method, sent)
        body = methods.UPLOADS[method.id](self, call, parts, sent)
        return self._good(method, body)

    def _good(self, method: Method, body: dict[str, Any] | None) -> httpx.Response:
        if body is None:
            return httpx.Response(204)
        self.contract.answer(method, body)
        return _json(200, body)

    def _write(self, call: Call, status: int) -> None:
        shown = {k: v for k, v in call.url.params.items() if k not in ("upload_id", "key")}
        self.ledger.append(
            at=call.now,
            verb=call.verb,
            call=call.name,
            params=shown,
            status=status,
            fault=call.fault.kind if call.fault is not None else None,
            **call.noted,
        )


class FakeTransport(httpx.BaseTransport):
    """Leads to a fake without a socket; bodies stream, as they do over one."""

    def __init__(self, fake: FakeYouTube) -> None:
        self._fake = fake

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        body = iter(request.stream)
        try:
            response = self._fake.handle(request.method, request.url, request.headers, body)
        except HungUp as hung_up:
            kind = httpx.WriteError if hung_up.early else httpx.ReadError
            planned = "the connection ended, as planned"
            raise kind(planned, request=request) from None
        for _ in body:
            pass
        return response


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
    told = {**(headers or {}), "Content-Type": "application/json; charset=UTF-8"}
    return httpx.Response(status, content=json.dumps(body).encode(), headers=told)


def _document(call: Call) -> Any:
    if not call.headers.get("content-type", "").startswith("application/json"):
        raise Refused(400, "badRequest", "The body must be application/json.")
    try:
        return json.loads(call.content())
    except ValueError:
        raise Refused(400, "parseError", "The body is no JSON.") from None


def _takes(method: Method, sent: multipart.Upload) -> None:
    """By the media types and sizes that the description names."""
    accepted = method.media["accept"]
    kind = sent.media_type.partition(";")[0].strip()
    if "*/*" not in accepted and kind not in accepted:
        raise Refused(400, "badContent", f"Media type '{kind}' is not supported.")
    if len(sent.content) > int(method.media["maxSize"]):
        raise Refused(413, "uploadTooLarge")
