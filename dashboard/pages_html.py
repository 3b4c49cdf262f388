"""The console's own small pages, beside those of Streamlit: logging in, links, the player.

Jinja escapes every value.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from dashboard.texts import LANGUAGES, translated

WEB = Path(__file__).parent / "web"


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(WEB / "templates"), autoescape=True, undefined=StrictUndefined
    )
    found.filters["tr"] = translated
    return found


def page(
    name: str, status: int = 200, *, language: str = LANGUAGES[0], **values: Any
) -> HTMLResponse:
    """A template of `web/templates` as an answer that nobody keeps."""
    text = _templates().get_template(name).render(language=language, **values)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
