"""Which requests may come in at all, told from what they say of themselves. Pure.

What a browser says in `Origin` (https://fetch.spec.whatwg.org/#origin-header) and in the
`Sec-Fetch-…` headers (https://www.w3.org/TR/fetch-metadata/) no page can set.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

OPEN = ("/login", "/link", "/leave", "/health/", "/static/", "/assets/", "/webhooks/")
OPEN_EXACT = ("/_stcore/health", "/favicon.png", "/robots.txt")
# Streamlit's own addresses that a page needs; its metrics, agents and logins are nobody's here.
UPLOADS = "/_stcore/upload_file/"
SOCKET = "/_stcore/stream"
STREAMLIT = ("/_stcore/host-config", SOCKET, UPLOADS, "/_stcore/health")
CLOSED = ("/_stcore/", "/component/", "/auth/", "/oauth2callback", "/app/static/")
WEBHOOKS = "/webhooks/"
DAGSTER = "/dagster/"
SAFE = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_nowhere(path: str) -> bool:
    """What is not served, whoever asks."""
    return path.startswith(CLOSED) and not path.startswith(STREAMLIT)


def is_open(path: str) -> bool:
    """What answers without a login."""
    return path in OPEN_EXACT or any(
        path.startswith(each) if each.endswith("/") else path == each or path.startswith(f"{each}/")
        for each in OPEN
    )


def has_socket(path: str) -> bool:
    return path == SOCKET or path.startswith(DAGSTER)


def is_foreign(method: str, path: str, headers: Headers, public_url: str) -> bool:
    """Does a page of another site send this?

    What changes something must come from a page of ours. What only reads may be a link that a
    person follows, and nothing else: Dagster's GraphQL would carry out what a GET asks for.
    """
    if path.startswith(WEBHOOKS):
        return False
    if method not in SAFE:
        return not is_ours(headers, public_url)
    if is_open(path) or headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    followed = headers.get("sec-fetch-mode") == "navigate"
    return not (followed and headers.get("sec-fetch-dest") == "document" and method == "GET")


def is_ours(headers: Headers, public_url: str) -> bool:
    """Did a page of ours send this?"""
    told = headers.get("origin")
    if told is None:
        return headers.get("sec-fetch-site") == "same-origin"
    try:
        said, own = urlsplit(told), urlsplit(public_url)
        here = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    if (said.scheme, said.netloc) == (own.scheme, own.netloc):
        return True
    # A console on this machine is reached by each of its names.
    local = own.hostname in LOOPBACK and here in LOOPBACK and said.hostname in LOOPBACK
    return local and said.scheme == "http" and said.netloc == headers.get("host")


def wants_page(headers: Headers) -> bool:
    """Will a person look at the answer?"""
    kind = headers.get("sec-fetch-dest")
    return kind in ("document", "iframe") if kind else "text/html" in headers.get("accept", "")


def loads_page(method: str, path: str, headers: Headers) -> bool:
    """A whole page of ours, not a part of one: then a token is due."""
    if method != "GET" or path.startswith(DAGSTER):
        return False
    kind = headers.get("sec-fetch-dest")
    return kind == "document" if kind else "text/html" in headers.get("accept", "")


def upload_session(path: str) -> str | None:
    """The session of Streamlit that an upload belongs to."""
    if not path.startswith(UPLOADS):
        return None
    return path.removeprefix(UPLOADS).partition("/")[0]
