"""`/health/live`: the process answers. `/health/ready`: the database does too."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from dashboard.console import Console
from leap_pipeline.errors import LeapError

SECONDS = 3.0


class HealthRoutes:
    """For load balancers and supervisors; no detail is told, for anybody may ask."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [Route("/health/live", self._live), Route("/health/ready", self._ready)]

    async def _live(self, _request: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def _ready(self, _request: Request) -> JSONResponse:
        asked = run_in_threadpool(self._console.database.now)
        try:
            await asyncio.wait_for(asked, SECONDS)
        except (LeapError, TimeoutError):
            return JSONResponse({"ready": False, "database": False}, 503)
        return JSONResponse({"ready": True, "database": True})
