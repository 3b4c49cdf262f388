"""Small pages inside of a page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.pages_html import page


class FrameRoutes:
    """`/leave` leads whoever is logged out to the login."""

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [Route("/leave", self._leave)]

    async def _leave(self, _request: Request) -> Response:
        return page("leave.html")
