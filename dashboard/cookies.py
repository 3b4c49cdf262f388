"""The one cookie: it carries the refresh token, and no script can read it.

`__Host-` binds it to this very host over HTTPS (RFC 6265bis, 4.1.3.2). It is SameSite=Lax, since a
Strict one is not sent when a platform sends a person back after a login there.
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import cookie_parser
from starlette.responses import Response

from leap_pipeline.services.sessions import Issued

PLAIN, SECURE = "leap", "__Host-leap"


def cookie_name(*, secure: bool) -> str:
    return SECURE if secure else PLAIN


def token_in(header: str, *, secure: bool) -> str | None:
    """The token in a request's `Cookie` header.

    Not by `http.cookies`, which drops what stands behind a cookie of another program that it
    cannot read: cookies are shared by all ports of a host, and by all below a domain.
    """
    return cookie_parser(header).get(cookie_name(secure=secure)) or None


def put_token(response: Response, issued: Issued, *, secure: bool) -> None:
    """Let the browser keep the token until it ends."""
    left = int((issued.expires_at - datetime.now(UTC)).total_seconds())
    response.set_cookie(
        cookie_name(secure=secure),
        issued.token,
        max_age=max(left, 0),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_token(response: Response, *, secure: bool) -> None:
    response.delete_cookie(
        cookie_name(secure=secure), path="/", secure=secure, httponly=True, samesite="lax"
    )


def header_of(issued: Issued | None, *, secure: bool) -> bytes:
    """The `Set-Cookie` header of a token; None takes the cookie away."""
    response = Response()
    if issued is None:
        drop_token(response, secure=secure)
    else:
        put_token(response, issued, secure=secure)
    return response.headers["set-cookie"].encode("latin-1")
