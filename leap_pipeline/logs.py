"""What every process of LEAP does before it says anything: see that it cannot say a secret.

A record is redacted where all records are made, so that it holds for every logger and handler of
the process, those of Dagster and of other libraries included; the rest are the ways in which
Python itself prints an exception that nobody caught.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from leap_pipeline.redaction import redact


class RedactedRecord(logging.LogRecord):
    """A record whose message, traceback and stack have no secrets when they become text."""

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        return redact(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        return self.__dict__.get("_exc_text")

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self.__dict__["_exc_text"] = redact(text) if text else text

    @property
    def stack_info(self) -> str | None:
        return self.__dict__.get("_stack_info")

    @stack_info.setter
    def stack_info(self, text: str | None) -> None:
        self.__dict__["_stack_info"] = redact(text) if text else text


def install() -> None:
    """From here on nothing that this process logs, and no exception it dies of, shows a secret."""
    logging.setLogRecordFactory(RedactedRecord)
    sys.excepthook = _uncaught
    # A test runner's own hooks stay.
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _uncaught_in_thread
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _unraisable


def traceback_of(error: BaseException) -> str:
    """The traceback with all causes, as it may be shown."""
    return redact("".join(traceback.format_exception(error)))


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or isinstance(args.exc_value, SystemExit):
        return
    name = args.thread.name if args.thread else "?"
    sys.stderr.write(f"Exception in thread {name}:\n{traceback_of(args.exc_value)}")


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    if args.exc_value is not None:
        said = args.err_msg or "Exception ignored in"
        sys.stderr.write(redact(f"{said} {args.object!r}:\n") + traceback_of(args.exc_value))
