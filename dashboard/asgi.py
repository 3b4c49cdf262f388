"""The console's one server: pages, logins, webhooks, media.

uvicorn --factory dashboard.asgi:make_app
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from sqlalchemy.orm import configure_mappers
from starlette.types import ASGIApp

from dashboard.console import Console, install, open_console
from dashboard.gate import Gate
from dashboard.headers import script_hashes, security_headers, streamlit_page
from dashboard.logs import log_as_json
from dashboard.pages import all_pages
from dashboard.routes.all import Routes
from dashboard.texts import t
from leap_pipeline import logs
from leap_pipeline.settings import Settings, load_settings

SCRIPT = Path(__file__).parent / "main.py"
logger = logging.getLogger("leap.console")


def make_app(settings: Settings | None = None) -> ASGIApp:
    """The whole console behind its gate; migrates nothing, `leap up` does."""
    logs.install()
    log_as_json()
    console = open_console(settings or load_settings())
    install(console)
    return guarded(unguarded(console), console)


def unguarded(console: Console) -> st.App:
    """Streamlit's pages and our own routes, which ask nobody who is there."""
    routes = Routes(console)

    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        async with routes.running():
            _warm_up()
            yield
        console.database.dispose()

    return st.App(SCRIPT, lifespan=lifespan, routes=routes.routes(), on_script_error=_told)


def guarded(app: ASGIApp, console: Console) -> Gate:
    """Put the gate before an application."""
    headers = security_headers(console.settings.public_url, script_hashes(streamlit_page()))
    return Gate(app, console, headers)


def _warm_up() -> None:
    """What the first visitor would wait for."""
    all_pages()
    configure_mappers()


def _told(error: Exception) -> bool:
    """An error that no page expected: the trace goes to the log, the person hears of it."""
    logger.error("A page failed", exc_info=error)
    st.error(t("This page met an error of LEAP's own; it is in the log. Load the page again."))
    return True
