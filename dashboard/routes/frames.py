"""Small pages inside of a page, and the list of recordings by its own name."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.pages_html import page


class FrameRoutes:
    """`/leave` leads whoever is logged out to the login; `/recordings` to the page that everybody
    begins at, which Streamlit knows by no other address than `/`.
    """

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/leave", self._leave),
            Route("/recordings", self._list, methods=["GET"]),
        ]

    async def _leave(self, _request: Request) -> Response:
        return page("leave.html")

    async def _list(self, request: Request) -> Response:
        query = request.url.query
        return RedirectResponse(f"/?{query}" if query else "/", 307)
