"""A fake of VK: its methods and its upload servers behind one function.

`FakeVK().answer(…)` is a function of the request, the world and the clock: it opens no socket. Use
it through `fake.client()` in this process, or over sockets (see serve.py). Every request is checked
against VK's own schema, and all of them are in `fake.ledger`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx

from tests.support.vk.errors import Refused, UploadRefused
from tests.support.vk.faults import Broken, Fault, Faults
from tests.support.vk.forms import BadForm, FilePart, read_form
from tests.support.vk.ledger import Ledger
from tests.support.vk.methods import Call, Methods, Rules
from tests.support.vk.parameters import checked
from tests.support.vk.uploads import Uploads
from tests.support.vk.world import Token, World

API = "https://api.vk.com/method"
PER_SECOND = 3
LARGEST_CALL = 1024 * 1024
SECRET = frozenset({"access_token", "thumb_json", "captcha_key"})


@dataclass
class Request:
    """A request on its way through; the rest of it is what the ledger will say."""

    verb: str
    url: httpx.URL
    headers: httpx.Headers
    pieces: Iterator[bytes]
    now: datetime
    route: str
    fault: Fault | None = None
    received: int = 0
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int | None:
        said = self.headers.get("content-length", "")
        return int(said) if said.isdecimal() else None


class FakeVK:
    """See the module; `enforce_rates` answers code 6 to more than 3 calls a second of a token.

    `world`, `rules` and `uploads` are for tests to change; `sleep` is what slow requests wait with.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        enforce_rates: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = clock or (lambda: datetime.now(UTC))
        self.sleep = sleep
        self.enforce_rates = enforce_rates
        self.world, self.rules = World(), Rules()
        self.methods = Methods(self.world, self.rules)
        self.uploads = Uploads(self.methods)
        self.ledger, self.faults = Ledger(), Faults()
        self._seconds: dict[str, tuple[int, int]] = {}
        self._lock = threading.RLock()

    def transport(self) -> httpx.BaseTransport:
        return _Transport(self)

    def client(self) -> httpx.Client:
        """A client whose every address is this fake."""
        return httpx.Client(transport=self.transport())

    def fail(self, fault: Fault) -> Fault:
        return self.faults.add(fault)

    def end_addresses(self) -> None:
        """Every address to upload to ends now."""
        with self._lock:
            now = self.clock()
            for address in self.methods.addresses.values():
                address.ends_at = now

    def answer(
        self, verb: str, url: httpx.URL, headers: httpx.Headers, pieces: Iterator[bytes]
    ) -> httpx.Response:
        """The answer to one request. Raises Broken where the connection ends without one."""
        route = _route(url.path)
        request = Request(verb, url, headers, iter(pieces), self.clock(), route)
        request.fault = fault = self.faults.hitting(route)
        request.pieces = self._read(request, request.pieces)
        if fault is not None and fault.unreachable:
            self._note(request, 0)
            raise Broken(httpx.ConnectError)
        if fault is not None and fault.delay:
            self.sleep(fault.delay)
        try:
            response = self._respond(request)
        except Broken:
            self._note(request, 0, whole=False)
            raise
        code = request.told.pop("code", None)
        self._note(request, response.status_code, code=code)
        if fault is not None and fault.lost:
            raise Broken(httpx.ReadError)
        return response

    def _respond(self, request: Request) -> httpx.Response:
        fault = request.fault
        if fault is not None and fault.status is not None:
            for _ in request.pieces:
                pass
            request.told["code"] = _code(fault.body)
            planned = {"text": fault.body} if isinstance(fault.body, str) else {"json": fault.body}
            return httpx.Response(fault.status, headers=fault.headers, **planned)
        try:
            if request.route == "upload":
                return httpx.Response(200, json=self._upload(request))
            if request.route == "thumb":
                return httpx.Response(200, json=self._thumb(request))
        except (UploadRefused, BadForm) as refused:
            return _refused_upload(request, refused)
        if request.route == "unknown":
            return httpx.Response(404, text="<html>404 Not Found</html>")
        try:
            return httpx.Response(200, json={"response": self._method(request)})
        except Refused as refused:
            request.told["code"] = refused.code
            return httpx.Response(200, json=refused.body)

    def _method(self, request: Request) -> Any:
        form = self._form(request)
        request.told["params"] = {name: value for name, value in form.items() if name not in SECRET}
        with self._lock:
            token = self._token(form.pop("access_token", ""))
            request.told["user_id"] = token.user_id
            self._take(token, request.now)
            params = checked(request.route, form)
            call = Call(request.route, params, request.now, token)
            try:
                return self.methods.answer(call)
            finally:
                request.told |= {"video": call.video, "did": call.did}

    def _form(self, request: Request) -> dict[str, str]:
        body = bytearray()
        for piece in request.pieces:
            body += piece
            if len(body) > LARGEST_CALL:
                raise Refused(100, "the request is too large")
        kind = request.headers.get("content-type", "")
        if body and not kind.startswith("application/x-www-form-urlencoded"):
            raise Refused(100, "parameters are expected as a form")
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        pairs += request.url.params.multi_items()
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused(100, "a parameter is said twice")
        return dict(pairs)

    def _token(self, value: str) -> Token:
        token = self.world.tokens.get(value)
        if token is None or token.ended:
            raise Refused(5, subcode=1117)
        if token.elsewhere:
            raise Refused(5, "access_token was given to another ip address", subcode=1130)
        return token

    def _take(self, token: Token, now: datetime) -> None:
        second, used = self._seconds.get(token.value, (0, 0))
        used = used if second == int(now.timestamp()) else 0
        if self.enforce_rates and used >= PER_SECOND:
            raise Refused(6)
        self._seconds[token.value] = (int(now.timestamp()), used + 1)

    def _upload(self, request: Request) -> dict[str, Any]:
        signature = request.url.params.get("sig", "")
        with self._lock:
            video = self.uploads.target(signature, request.now)
            request.told["video"] = video.name
        part = self._part(request, "video_file")
        with self._lock:
            now = self.clock()
            video = self.uploads.target(signature, now)
            did, answer = self.uploads.store(video, part, now)
        request.told["did"] = did
        return answer

    def _thumb(self, request: Request) -> dict[str, Any]:
        part = self._part(request, "file", keep=True)
        with self._lock:
            answer = self.uploads.picture(request.url.params.get("sig", ""), part)
        request.told["did"] = "picture taken"
        return answer

    def _part(self, request: Request, field: str, *, keep: bool = False) -> FilePart:
        if request.verb != "POST":
            msg = "not a POST"
            raise BadForm(msg)
        wrong: BadForm | None = None
        try:
            part = read_form(request.headers, request.pieces, field, keep=keep)
        except BadForm as found:
            wrong = found
            for _ in request.pieces:
                pass
        if request.length is not None and request.received < request.length:
            # A client that went away half-way sent no bad form.
            raise Broken(httpx.WriteError)
        if wrong is not None:
            raise wrong
        request.told |= {"size": part.size, "sha256": part.sha256}
        return part

    def _read(self, request: Request, whole: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces of the body, counted; a planned fault cuts or slows them."""
        fault = request.fault
        for piece in whole:
            room = len(piece)
            if fault is not None and fault.cut_at is not None:
                room = min(room, fault.cut_at - request.received)
            if fault is not None and fault.rate is not None:
                self.sleep(room / fault.rate)
            request.received += room
            yield piece[:room]
            if room < len(piece):
                raise Broken(httpx.WriteError)

    def _note(
        self, request: Request, status: int, *, code: int | None = None, whole: bool = True
    ) -> None:
        told = request.told
        self.ledger.append(
            at=request.now,
            route=request.route,
            params=told.get("params", {}),
            user_id=told.get("user_id"),
            video=told.get("video"),
            status=status,
            code=code,
            did=told.get("did"),
            received=request.received,
            whole=whole,
            size=told.get("size"),
            sha256=told.get("sha256"),
            fault=request.fault.name if request.fault is not None else None,
        )


class _Transport(httpx.BaseTransport):
    def __init__(self, fake: FakeVK) -> None:
        self._fake = fake

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        stream = request.stream
        assert isinstance(stream, httpx.SyncByteStream)
        try:
            return self._fake.answer(request.method, request.url, request.headers, iter(stream))
        except Broken as broken:
            msg = "planned, or the body was too short"
            raise broken.error(msg, request=request) from None


def _route(path: str) -> str:
    if path.startswith("/method/"):
        return path.removeprefix("/method/")
    return {"/upload.do": "upload", "/thumb.do": "thumb"}.get(path, "unknown")


def _code(body: Any) -> int | None:
    error = body.get("error", body) if isinstance(body, dict) else None
    inner = error if isinstance(error, dict) else body
    found = inner.get("error_code") if isinstance(inner, dict) else None
    return found if isinstance(found, int) else None


def _refused_upload(request: Request, refused: UploadRefused | BadForm) -> httpx.Response:
    if isinstance(refused, UploadRefused):
        request.told["code"] = refused.code
        return httpx.Response(refused.status, json=refused.body)
    request.told["code"] = 100
    body = {"error": f"Bad request: {refused}", "error_code": 100}
    return httpx.Response(400, json=body)
