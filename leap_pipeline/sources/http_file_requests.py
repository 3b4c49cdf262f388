"""One request of a download: the link, its redirects, and what an answer means."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

import httpcore
import httpx
from pydantic import SecretStr

from leap_pipeline.errors import UserActionError
from leap_pipeline.sources.http_file_network import CheckedNetwork
from leap_pipeline.web.retry import retry_at

REDIRECTS = (301, 302, 303, 307, 308)
MOST_REDIRECTS = 10
# The link has run out, or what it names went away: another link may do.
USED_UP = (401, 403, 404, 410)
BUSY = (429, 503)
NO_CONNECTION = "no connection was free"
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,18})")


@dataclass(frozen=True)
class Link:
    """Where a file is at this moment. `headers` go to the link's own origin only.

    `identity` names the file at its source: bytes under another identity are another file's.
    """

    url: SecretStr
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    identity: str = ""


class FileSource(Protocol):
    """Knows where the file is; asked anew whenever a link has run out."""

    def fresh(self) -> Link:
        """A link that was not given before; may raise any `LeapError`."""


class NotServed(UserActionError):
    """The server gives no file out, also for a fresh link; 401 or 403, or 200 for a web page."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotThere(UserActionError):
    """The server knows no such file, by a link that is fresh."""


class Trouble(Exception):
    """An attempt that failed, and may do better next time."""


class LinkUsedUp(Trouble):
    """A new link is needed."""

    def __init__(self, status: int) -> None:
        super().__init__("it sent a web page" if status == 200 else _answered(status))
        self.status = status


class Busy(Trouble):
    """The server wants to be left alone until `until`, or for a while."""

    def __init__(self, status: int, until: datetime | None) -> None:
        super().__init__(_answered(status))
        self.status = status
        self.until = until


class Changed(Trouble):
    """The file at the server is not the one of which bytes are here."""


@dataclass(frozen=True)
class Part:
    """What Content-Range says; `stop` is exclusive, `total` None where unknown."""

    start: int
    stop: int
    total: int | None


class Answer:
    """An answer whose body has not been read."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response
        self.status = response.status
        self.headers = httpx.Headers(response.headers)

    @property
    def length(self) -> int | None:
        """Content-Length in bytes."""
        told = self.headers.get("content-length", "")
        return int(told) if told.isdecimal() and len(told) < 19 else None

    @property
    def part(self) -> Part | None:
        found = _RANGE.fullmatch(self.headers.get("content-range", "").strip())
        if found is None:
            return None
        total = None if found[3] == "*" else int(found[3])
        return Part(int(found[1]), int(found[2]) + 1, total)

    @property
    def unsatisfied_total(self) -> int | None:
        """What a 416 says of the file's size."""
        found = _UNSATISFIED.fullmatch(self.headers.get("content-range", "").strip())
        return None if found is None else int(found[1])

    def chunks(self) -> Iterator[bytes]:
        """The body; raises `Trouble` where the connection breaks."""
        with _trouble():
            yield from self._response.iter_stream()


class Route:
    """One link with the place to which its redirects led, which is asked directly next time."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._landed: httpx.URL | None = None

    def target(self) -> tuple[httpx.URL, bool]:
        """The URL to ask, and whether it is still at the link's own origin."""
        first = _url(self.link.url.get_secret_value())
        if self._landed is None:
            return first, True
        return self._landed, False

    def landed(self, url: httpx.URL | None) -> None:
        self._landed = url

    @property
    def is_redirected(self) -> bool:
        return self._landed is not None


class Requests:
    """A pool of connections that follows redirects by the rules of this house."""

    def __init__(
        self, network: CheckedNetwork, connections: int, connect: float, read: float
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=connections,
            keepalive_expiry=30.0,
            network_backend=network,
        )
        self._timeout = {"connect": connect, "read": read, "write": read, "pool": connect}

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def get(self, route: Route, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The first answer that is no redirect. Raises `Trouble` or a `UserActionError`.

        The link's own headers go to its own origin, and no more once a redirect has left it.
        """
        url, own = route.target()
        secure = _url(route.link.url.get_secret_value()).scheme == "https"
        for _ in range(MOST_REDIRECTS):
            sent = {**headers, **(_opened(route.link.headers) if own else {})}
            with self._ask(url, sent) as answer:
                if answer.status not in REDIRECTS:
                    yield answer
                    return
                following = _followed(url, answer.headers.get("location", ""), secure=secure)
            if not same_origin(url, following):
                own = False
            url = following
            if not own:
                route.landed(url)
        msg = "The download was redirected too often: check the source, then retry."
        raise UserActionError(msg)

    @contextmanager
    def _ask(self, url: httpx.URL, headers: Mapping[str, str]) -> Iterator[Answer]:
        sent = {"Host": url.netloc.decode("ascii"), **headers}
        with _trouble():
            response = self._pool.handle_request(
                httpcore.Request(
                    "GET",
                    httpcore.URL(
                        scheme=url.raw_scheme,
                        host=url.raw_host,
                        port=url.port,
                        target=url.raw_path,
                    ),
                    headers=[(name.encode(), value.encode()) for name, value in sent.items()],
                    extensions={"timeout": self._timeout},
                )
            )
        try:
            yield Answer(response)
        finally:
            with _trouble():
                response.close()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def sort_out(answer: Answer, now: datetime | None = None) -> None:
    """Raise what an answer means that brings no bytes of the file."""
    status = answer.status
    if status in USED_UP:
        raise LinkUsedUp(status)
    if status in BUSY:
        raise Busy(status, retry_at(answer.headers, now or datetime.now(UTC)))
    if status not in (200, 206, 416):
        if 400 <= status < 500 and status not in (408, 421, 425):
            msg = f"The server of the file answered {status}, so it cannot be fetched: retry later."
            raise UserActionError(msg)
        raise Trouble(_answered(status))
    if status == 416:
        return
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        msg = "The server sends the file compressed though it was asked not to: report this."
        raise UserActionError(msg)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind in ("application/json", "application/xhtml+xml"):
        raise LinkUsedUp(200)


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int:
    return url.port or {"https": 443}.get(url.scheme, 80)


def _url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        found = httpx.URL(text) if base is None else base.join(text)
    except (httpx.InvalidURL, ValueError, TypeError):
        found = None
    if found is None or found.scheme not in ("http", "https") or not found.host:
        msg = "The download leads to something that is no web address: check the source."
        raise UserActionError(msg)
    return found.copy_with(fragment=None)


def _followed(url: httpx.URL, location: str, *, secure: bool) -> httpx.URL:
    found = _url(location, url)
    if secure and found.scheme != "https":
        msg = (
            f"The download was redirected to {found.host} without encryption, and was refused: "
            "check the source."
        )
        raise UserActionError(msg)
    return found


def _opened(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}


@contextmanager
def _trouble() -> Iterator[None]:
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Trouble(_said(error)) from error
    except httpcore.ConnectionNotAvailable as error:
        raise Trouble(NO_CONNECTION) from error


def _said(error: Exception) -> str:
    if isinstance(error, httpcore.ConnectTimeout | httpcore.ConnectError):
        return "the server could not be reached"
    if isinstance(error, httpcore.TimeoutException):
        return "the server sent nothing for a while"
    return "the connection was cut"


def _answered(status: int) -> str:
    return f"the server answered {status}"
