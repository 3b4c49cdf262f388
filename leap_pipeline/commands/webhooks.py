"""`leap webhooks`: the addresses that services call, served alone."""

from __future__ import annotations

from typing import Annotated

import typer

from leap_pipeline.commands.context import open_platform

LIMIT = 200  # requests at once


def webhooks(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8502,
) -> None:
    """Serve the addresses that Zoom's webhooks call, behind your own HTTPS; Ctrl-C stops it."""
    import uvicorn

    open_platform().database.dispose()
    uvicorn.run(
        "dashboard.webhooks:make_app",
        factory=True,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=LIMIT,
        timeout_keep_alive=5,
    )
