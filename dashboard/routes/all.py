"""All addresses of the console beside Streamlit's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from dashboard.console import Console
from dashboard.routes.connect import ConnectRoutes
from dashboard.routes.dagster import DagsterRoutes
from dashboard.routes.exports import ExportRoutes
from dashboard.routes.frames import FrameRoutes
from dashboard.routes.health import HealthRoutes
from dashboard.routes.login import LoginRoutes
from dashboard.routes.media import MediaRoutes
from dashboard.routes.player import PlayerRoutes
from dashboard.routes.uploads import UploadRoutes
from dashboard.routes.zoom_webhook import ZoomWebhookRoutes
from dashboard.worker import working
from leap_pipeline.services.webhooks import ZoomWebhooks

ASSETS = Path(__file__).parent.parent / "web" / "assets"


class Routes:
    """The routes, and what has to live as long as they are served."""

    def __init__(self, console: Console) -> None:
        self._database = console.database
        self._zoom = ZoomWebhookRoutes(
            ZoomWebhooks(console.database, console.vault, console.settings)
        )
        self._dagster = DagsterRoutes(console)
        self._connect = ConnectRoutes(console)
        self._parts = (
            LoginRoutes(console),
            HealthRoutes(console),
            FrameRoutes(),
            MediaRoutes(console),
            PlayerRoutes(console),
            UploadRoutes(console),
            ExportRoutes(console),
            self._zoom,
            self._connect,
            self._dagster,
        )

    def routes(self) -> list[BaseRoute]:
        """For a Starlette application."""
        found: list[BaseRoute] = [route for part in self._parts for route in part.routes()]
        return [*found, Mount("/assets", _Assets(directory=ASSETS))]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the application's lifespan."""
        with working(self._database):
            yield
        await self._dagster.close()
        self._connect.close()
        self._zoom.close()


class _Assets(StaticFiles):
    """Browsers ask each time whether their copy is good: none runs old scripts after an update."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response
