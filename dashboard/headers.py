"""The headers that every answer of the console has.

Scripts come from here alone, but for those that Streamlit's page has inside, which are allowed by
their hash; no text is ever made into a script. Styles are put into the page by Streamlit, so inline
ones are allowed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
YEAR_SECONDS = 365 * 24 * 3600


def script_hashes(page: str) -> list[str]:
    """CSP sources for the scripts inside of a page (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return [f"'sha256-{_digest(script)}'" for script in _INLINE_SCRIPT.findall(page)]


def streamlit_page() -> str:
    """The page that Streamlit serves for every address."""
    import streamlit

    return (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")


def security_headers(public_url: str, hashes: Iterable[str]) -> Mapping[str, str]:
    """The headers for a console that browsers reach at `public_url`."""
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *hashes]),
        "style-src": "'self' 'unsafe-inline'",
        **_sources(public_url),
    }
    found = {
        "content-security-policy": _policy(policy),
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if urlsplit(public_url).scheme == "https":
        found["strict-transport-security"] = f"max-age={YEAR_SECONDS}"
    return found


def policy_beside(public_url: str) -> str:
    """A second policy for pages that have one for their scripts: both hold
    (https://www.w3.org/TR/CSP3/#multiple-policies). Nothing that such a page runs, or shows, talks
    to anybody but the console.
    """
    return _policy(_sources(public_url))


def _sources(public_url: str) -> dict[str, str]:
    """Where everything but scripts and styles may come from, and go to."""
    parts = urlsplit(public_url)
    sockets = "wss" if parts.scheme == "https" else "ws"
    return {
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self' blob:",
        "connect-src": f"'self' {sockets}://{parts.netloc}",
        "frame-src": "'self'",
        "worker-src": "'self' blob:",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "object-src": "'none'",
        "frame-ancestors": "'self'",
    }


def _policy(said: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in said.items())


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
