"""The two small pages of a login: how it went, and the one that reads VK's token off the address.

Nothing is loaded from anywhere. The one script is allowed by its hash; it takes the fragment out of
the address first, so that the token stays in no history.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

SCRIPT = """
var answer = location.hash.slice(1) || location.search.slice(1);
history.replaceState(null, "", location.pathname);
if (answer) {
  document.getElementById("answer").value = answer;
  document.getElementById("form").submit();
}
"""
STYLE = "body{font-family:sans-serif;max-width:40em;margin:4em auto;padding:0 1em}input{width:100%}"
FRAGMENT_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Connecting VK</title>
<style>{STYLE}</style></head><body>
<h1>Connecting VK</h1>
<form id="form" method="post" autocomplete="off">
<p><label for="answer">If nothing happens, paste the whole address of this page here, as it was when
VK sent you back:</label></p>
<p><input id="answer" name="answer"></p>
<p><button type="submit">Connect</button></p>
</form>
<script>{SCRIPT}</script></body></html>
"""


@dataclass(frozen=True)
class Page:
    """HTML and the headers that it is sent with."""

    text: str
    headers: Mapping[str, str]


def page(title: str, sentence: str, home: str | None = None) -> Page:
    """One sentence, and the way back; its own address holds a code, which no referrer tells."""
    back = f'<p><a href="{escape(home)}">Back to LEAP</a></p>' if home is not None else ""
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1><p>{escape(sentence)}</p>{back}</body></html>
"""
    return Page(text, _headers("no-referrer"))


def fragment_page() -> Page:
    """Sends itself what is behind the `#` of its address, as `answer`, and lets it go there."""
    return Page(FRAGMENT_PAGE, _headers("same-origin", f"; script-src '{_hash(SCRIPT)}'"))


def _headers(referrer: str, more: str = "") -> dict[str, str]:
    policy = (
        f"default-src 'none'; style-src '{_hash(STYLE)}'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'{more}"
    )
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
