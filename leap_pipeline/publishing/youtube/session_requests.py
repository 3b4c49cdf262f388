"""One request of a resumable upload, and what its answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import LeapError, MustWaitError
from leap_pipeline.publishing.uploader import SessionGone
from leap_pipeline.publishing.youtube.answers import (
    BUSY_REASONS,
    is_out_of_quota,
    reason_of,
    refusal,
    refuses_token,
)
from leap_pipeline.publishing.youtube.quota import Quota, QuotaCall
from leap_pipeline.web.calls import LARGEST, Answer
from leap_pipeline.web.retry import retry_at
from leap_pipeline.web.tokens import TokenSource

TIMEOUT = httpx.Timeout(60, connect=10)
RESUME_INCOMPLETE = 308
WHAT = "the upload of a video"
NOT_KNOWN = "YouTube does not know the session of this upload any more."
_NOT_OF_THE_SESSION = frozenset({401, 403, 408, 429})
"""Whatever else refuses a probe says that its session has ended, such as 499 (cancelled)."""
_KEPT = re.compile(r"(?:bytes=)?0-(\d{1,15})")


@dataclass(frozen=True)
class Said:
    """What a session answered: the finished video, or how many bytes it has from the beginning."""

    kept: int = 0
    video: Mapping[str, Any] | None = field(default=None, repr=False)


class Failed(Exception):
    """A request that came to nothing; whether its bytes arrived is not known.

    `at` is when YouTube wants to be asked again. `refused` is the token that it did not take, and
    `refusal` what to raise where another is not taken either.
    """

    def __init__(
        self,
        what: str,
        *,
        at: datetime | None = None,
        refused: SecretStr | None = None,
        refusal: LeapError | None = None,
    ) -> None:
        super().__init__(what)
        self.at = at
        self.refused = refused
        self.refusal = refusal


class SessionRequests:
    """Requests to one session's address, each sent once."""

    def __init__(
        self,
        http: httpx.Client,
        tokens: TokenSource,
        quota: Quota,
        uri: SecretStr,
        size: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._quota = quota
        self._uri = uri
        self._size = size
        self._clock = clock

    def probe(self) -> Said:
        """How far it is, without a byte."""
        headers = {"Content-Range": f"bytes */{self._size}", "Content-Length": "0"}
        response, answer, token = self._ask("PUT", headers, b"")
        if response.is_client_error and answer.status not in _NOT_OF_THE_SESSION:
            raise SessionGone(NOT_KNOWN)
        return self._judged(response, answer, token)

    def put(self, offset: int, length: int, pieces: Iterable[bytes]) -> Said:
        """So many bytes from `offset` on; what `pieces` raises goes through."""
        last = offset + length - 1
        headers = {
            "Content-Range": f"bytes {offset}-{last}/{self._size}",
            "Content-Length": str(length),
        }
        return self._judged(*self._ask("PUT", headers, pieces))

    def cancel(self) -> None:
        """No more comes. Google answers 499 where it knew the session."""
        response, _, _ = self._ask("DELETE", {"Content-Length": "0"}, b"")
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            msg = f"fails (HTTP {response.status_code})"
            raise Failed(msg)

    def _ask(
        self, method: str, headers: Mapping[str, str], content: bytes | Iterable[bytes]
    ) -> tuple[httpx.Response, Answer, SecretStr]:
        token = self._tokens.get()
        request = self._http.build_request(
            method,
            self._uri.get_secret_value(),
            headers={"Authorization": f"Bearer {token.get_secret_value()}", **headers},
            content=content,
            timeout=TIMEOUT,
        )
        request.headers.pop("cookie", None)
        try:
            response = self._http.send(request, stream=True, follow_redirects=False, auth=None)
            try:
                body = _body(response)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            what = f"cannot be reached or broke off ({type(error).__name__})"
            raise Failed(what) from error
        return response, Answer(response.status_code, body), token

    def _judged(self, response: httpx.Response, answer: Answer, token: SecretStr) -> Said:
        status = answer.status
        if status == RESUME_INCOMPLETE:
            return Said(kept=min(_kept(response.headers.get("range", "")), self._size))
        if status in (httpx.codes.OK, httpx.codes.CREATED):
            if not isinstance(answer.body.get("id"), str):
                msg = "answers with something that is no video"
                raise Failed(msg)
            return Said(kept=self._size, video=answer.body)
        if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            raise SessionGone(NOT_KNOWN)
        if is_out_of_quota(answer):
            due = self._quota.refused(QuotaCall.VIDEO_INSERT)
            msg = "YouTube's quota for today is used up."
            raise MustWaitError(msg, due)
        if _passes(answer):
            msg = f"fails (HTTP {status})"
            raise Failed(msg, at=retry_at(response.headers, self._clock()))
        wrong = refusal(answer, WHAT, self._clock())
        if refuses_token(answer):
            msg = f"takes no token (HTTP {status})"
            raise Failed(msg, refused=token, refusal=wrong)
        raise wrong or Failed(f"answers oddly (HTTP {status})")


def _kept(said: str) -> int:
    """Bytes that YouTube has, by its Range header: without one it has none."""
    found = _KEPT.fullmatch(said.strip())
    return int(found[1]) + 1 if found else 0


def _passes(answer: Answer) -> bool:
    status = answer.status
    return (
        status >= httpx.codes.INTERNAL_SERVER_ERROR
        or status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT)
        or (status == httpx.codes.FORBIDDEN and reason_of(answer.body) in BUSY_REASONS)
    )


def _body(response: httpx.Response) -> Mapping[str, Any]:
    content = bytearray()
    for block in response.iter_bytes():
        content += block
        if len(content) > LARGEST:
            msg = f"answers with more than {LARGEST} bytes"
            raise Failed(msg)
    try:
        found = json.loads(bytes(content))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
