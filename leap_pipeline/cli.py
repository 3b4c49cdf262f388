"""`leap`: the command line."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from leap_pipeline import logs
from leap_pipeline.errors import LeapError
from leap_pipeline.processes import importing
from leap_pipeline.redaction import redact

# A command loads what it needs and no more: all of them together take seconds to import.
COMMANDS = {
    "demo": "demo:demo",
    "ingest": "ingest:ingest",
    "run": "run:run",
    "cancel": "steer:cancel",
    "hold": "steer:hold",
    "release": "steer:release",
    "skip": "steer:skip",
    "unskip": "steer:unskip",
    "delete": "deletion:delete",
    "restore": "deletion:restore",
    "preview": "preview:preview",
    "up": "system:up",
    "down": "system:down",
    "status": "system:status",
    "webhooks": "webhooks:webhooks",
    "connect": "connect:connect",
    "disconnect": "connect:disconnect",
    "adopt": "adopt:adopt",
    "doctor": "doctor:doctor",
    "trim": "trim:trim",
    "transcribe": "speech:transcribe",
    "topics": "texts:topics",
    "subtitles": "texts:subtitles",
    "db": "db:app",
    "config": "config:app",
    "source": "sources:app",
    "templates": "templates:app",
    "thumbnails": "thumbnails:app",
    "publish": "publish:app",
    "user": "users:app",
    "credentials": "credentials:app",
    "quota": "quotas:quota_app",
    "plan": "quotas:plan_app",
    "retention": "deletion:app",
    "jobs": "jobs:app",
    "dagster": "dagster_commands:app",
}


class Leap(TyperGroup):
    """The group of all commands, each imported when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, Any] = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self.commands.get(cmd_name) is None and cmd_name in COMMANDS:
            self.commands[cmd_name] = _imported(cmd_name)
        return super().get_command(ctx, cmd_name)


def _imported(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    with importing():
        found = getattr(import_module(f"leap_pipeline.commands.{module}"), attribute)
    parent = typer.Typer(add_completion=False)
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return typer.main.get_group(parent).commands[name]


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    cls=Leap,
    help="Lecture recordings in; trimmed, transcribed, chaptered, subtitled videos out.",
)


@app.callback()
def leap(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with every error.")
    ] = False,
) -> None:
    _debug["on"] = debug


_debug = {"on": False}


def main() -> None:
    """Run the command; an error is one sentence and an exit code that is not 0."""
    logs.install()
    try:
        # Not standalone, Typer raises errors, and returns the code of an exit or of Ctrl-C (130).
        sys.exit(app(standalone_mode=False))
    except typer.TyperException as usage:
        _fail(_usage(usage), usage, code=usage.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except LeapError as error:
        _fail(str(error), error)
    except ValidationError as error:
        _fail(_setting(error), error)
    except Exception as error:  # noqa: BLE001 - border of the command: no user meets a traceback
        _fail(f"Unexpected {type(error).__name__}: {error} (--debug shows where)", error)


def _usage(usage: typer.TyperException) -> str:
    """What is wrong with the command line; empty for a group without its command, whose help
    Typer has printed already.
    """
    sentence = usage.format_message().rstrip(".")
    return f"{sentence} (--help tells how it is used)." if sentence else ""


def _setting(error: ValidationError) -> str:
    """Says which environment variable cannot be read; other data that does not fit is a bug."""
    first = error.errors(include_url=False)[0]
    if error.title != "Settings":
        return f"Unexpected {error.title} that does not fit: {first['msg']} (--debug shows where)"
    name = "_".join(["LEAP", *map(str, first["loc"])]).upper()
    return f"{name} cannot be {first['input']!r} ({first['msg']}): set it anew, or unset it."


def _fail(sentence: str, error: Exception, *, code: int = 1) -> None:
    if _debug["on"]:
        sys.stderr.write(logs.traceback_of(error))
    if sentence:
        sys.stderr.write(f"leap: {redact(sentence)}\n")
    sys.exit(code)
