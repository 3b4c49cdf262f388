"""`leap`: the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from pydantic import ValidationError

from leap_pipeline import logs
from leap_pipeline.commands import (
    config,
    credentials,
    db,
    deletion,
    jobs,
    publish,
    sources,
    speech,
    steer,
    system,
    templates,
    texts,
    thumbnails,
    users,
)
from leap_pipeline.commands.adopt import adopt
from leap_pipeline.commands.connect import connect, disconnect
from leap_pipeline.commands.dagster_commands import app as dagster_app
from leap_pipeline.commands.demo import demo
from leap_pipeline.commands.doctor import doctor
from leap_pipeline.commands.ingest import ingest
from leap_pipeline.commands.preview import preview
from leap_pipeline.commands.quotas import plan_app, quota_app
from leap_pipeline.commands.run import run
from leap_pipeline.commands.trim import trim
from leap_pipeline.commands.webhooks import webhooks
from leap_pipeline.errors import LeapError
from leap_pipeline.redaction import redact
from leap_pipeline.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Lecture recordings in; trimmed, transcribed, chaptered, subtitled videos out.",
)


@app.callback()
def leap(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback with every error.")
    ] = False,
) -> None:
    """Lecture recordings in; trimmed, transcribed, chaptered, subtitled videos out."""
    _debug["on"] = debug


_debug = {"on": False}

COMMANDS: tuple[Callable[..., None], ...] = (
    demo,
    ingest,
    run,
    steer.cancel,
    steer.hold,
    steer.release,
    steer.skip,
    steer.unskip,
    deletion.delete,
    deletion.restore,
    preview,
    system.up,
    system.down,
    system.status,
    webhooks,
    connect,
    disconnect,
    adopt,
    doctor,
    trim,
    speech.transcribe,
    texts.topics,
    texts.subtitles,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(db.app, name="db", help="The application's database.")
app.add_typer(config.app, name="config", help="The configuration of recordings.")
app.add_typer(sources.app, name="source", help="Where recordings come from.")
app.add_typer(templates.app, name="templates", help="Templates, and the recordings that they take.")
app.add_typer(
    thumbnails.app, name="thumbnails", help="Pictures that templates and presets can name."
)
app.add_typer(
    publish.app, name="publish", help="Publish recordings, and look after what is published."
)
app.add_typer(users.app, name="user", help="User accounts.")
app.add_typer(
    credentials.app,
    name="credentials",
    help="Accounts at the platforms, and the keys they are under.",
)
app.add_typer(quota_app, name="quota", help="What users may use, and what they used.")
app.add_typer(plan_app, name="plan", help="The plans, and who has which.")
app.add_typer(deletion.app, name="retention", help="What expires and goes for good.")
app.add_typer(jobs.app, name="jobs", help="Automations: what is scheduled, and how it went.")
app.add_typer(dagster_app, name="dagster", help="What Dagster keeps of LEAP.")


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
    if error.title != Settings.__name__:
        return f"Unexpected {error.title} that does not fit: {first['msg']} (--debug shows where)"
    name = "_".join(["LEAP", *map(str, first["loc"])]).upper()
    return f"{name} cannot be {first['input']!r} ({first['msg']}): set it anew, or unset it."


def _fail(sentence: str, error: Exception, *, code: int = 1) -> None:
    if _debug["on"]:
        sys.stderr.write(logs.traceback_of(error))
    if sentence:
        sys.stderr.write(f"leap: {redact(sentence)}\n")
    sys.exit(code)
