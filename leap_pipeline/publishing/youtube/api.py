"""One call to the YouTube Data API: token, quota, tries, and its refusal as an error."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import MustWaitError
from leap_pipeline.publishing.youtube.answers import (
    is_out_of_quota,
    judge,
    refusal,
    refuses_token,
)
from leap_pipeline.publishing.youtube.quota import Quota, QuotaCall
from leap_pipeline.web.calls import APART_SECONDS, Answer, Budget, Calls
from leap_pipeline.web.tokens import TokenSource

ROOT = "https://youtube.googleapis.com"
GOOGLE = ".googleapis.com"
LARGEST_ANSWER = 8 * 1024 * 1024
UPLOAD_TIMEOUT = httpx.Timeout(120, connect=10)
Params = Mapping[str, str | int]


@dataclass(frozen=True)
class Asked:
    """A request: what it is about in words, what it costs, and what it holds.

    `repeatable` is false where a second one would do the same thing twice.
    """

    what: str
    call: QuotaCall
    method: str
    path: str
    params: Params
    document: Mapping[str, Any] | None = None
    media: bytes | None = None
    media_type: str = "application/octet-stream"
    headers: Mapping[str, str] | None = None
    repeatable: bool = True


class YouTubeApi:
    """Sends requests with one account's token. Safe to share between threads."""

    def __init__(
        self,
        http: httpx.Client,
        tokens: TokenSource,
        quota: Quota,
        *,
        root_url: str = ROOT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._quota = quota
        self._root_url = root_url.rstrip("/")
        self._clock = clock
        self._calls = Calls(http, "YouTube", apart=APART_SECONDS, clock=clock, sleep=sleep)

    def ask(self, asked: Asked) -> Answer:
        """A good answer; raises for every other."""
        self._quota.spend(asked.call)
        budget = self._calls.budget()
        token = self._tokens.get()
        answer = self._send(asked, token, budget)
        if refuses_token(answer):
            answer = self._send(asked, self._tokens.renew(token), budget)
        if is_out_of_quota(answer):
            due = self._quota.refused(asked.call)
            msg = f"YouTube's quota for today is used up, which {asked.what} needs."
            raise MustWaitError(msg, due)
        if wrong := refusal(answer, asked.what, self._clock()):
            raise wrong
        return answer

    def is_ours(self, address: str) -> bool:
        """May the token go there: the settings' own server, or another of Google's."""
        there, ours = urlsplit(address), urlsplit(self._root_url)
        if (there.scheme, there.netloc) == (ours.scheme, ours.netloc):
            return True
        return there.scheme == "https" and (there.hostname or "").endswith(GOOGLE)

    def pages(self, asked: Asked) -> Iterator[Sequence[Mapping[str, Any]]]:
        """The items of a listing, page by page; each page is paid for."""
        params, seen = dict(asked.params), set[str]()
        while True:
            body = self.ask(_with(asked, params)).body
            yield items(body)
            token = body.get("nextPageToken")
            if not isinstance(token, str) or not token or token in seen:
                return
            seen.add(token)
            params["pageToken"] = token

    def _send(self, asked: Asked, token: SecretStr, budget: Budget) -> Answer:
        content, content_type = _content(asked)
        headers = {
            "Authorization": f"Bearer {token.get_secret_value()}",
            "Accept": "application/json",
            **({"Content-Type": content_type} if content_type else {}),
            **(asked.headers or {}),
        }
        request = self._http.build_request(
            asked.method,
            f"{self._root_url}{asked.path}",
            params=dict(asked.params),
            headers=headers,
            content=content,
            timeout=UPLOAD_TIMEOUT if asked.media is not None else httpx.USE_CLIENT_DEFAULT,
        )
        return self._calls.send(
            request,
            budget,
            judge=judge,
            repeatable=asked.repeatable,
            largest=LARGEST_ANSWER,
        )


def items(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The items of a listing; what is none is left out."""
    found = body.get("items")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _with(asked: Asked, params: Params) -> Asked:
    return Asked(asked.what, asked.call, asked.method, asked.path, dict(params))


def _content(asked: Asked) -> tuple[bytes | None, str]:
    document = None if asked.document is None else json.dumps(asked.document).encode()
    if asked.media is None:
        return document, "application/json; charset=UTF-8" if document is not None else ""
    if document is None:
        return asked.media, asked.media_type
    boundary = secrets.token_hex(16)
    mark = f"--{boundary}\r\nContent-Type: "
    content = (
        f"{mark}application/json; charset=UTF-8\r\n\r\n".encode()
        + document
        + f"\r\n{mark}{asked.media_type}\r\n\r\n".encode()
        + asked.media
        + f"\r\n--{boundary}--\r\n".encode()
    )
    return content, f"multipart/related; boundary={boundary}"
