"""The console's log: one JSON object a line, for machines to read."""

from __future__ import annotations

import logging
import sys

import structlog

QUIET = ("uvicorn.access", "httpx", "httpcore", "watchdog")
CALLER = "leap.console"


def log_as_json() -> None:
    """Every logger of this process writes so to standard error; safe to call twice."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "streamlit"):
        other = logging.getLogger(name)
        other.handlers[:] = []
        other.propagate = True
