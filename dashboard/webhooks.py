"""An application that serves webhooks alone; `leap webhooks` starts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from dashboard.routes.zoom_webhook import ZoomWebhookRoutes
from leap_pipeline import logs
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.webhooks import ZoomWebhooks
from leap_pipeline.settings import Settings, load_settings


def make_app(settings: Settings | None = None) -> Starlette:
    """The application; migrates nothing, `leap up` or `leap db upgrade` does."""
    logs.install()
    chosen = settings or load_settings()
    database = Database(resolve(chosen), pooled=True)
    zoom = ZoomWebhookRoutes(ZoomWebhooks(database, load_vault(chosen), chosen))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        zoom.close()
        database.dispose()

    return Starlette(routes=zoom.routes(), lifespan=lifespan)
