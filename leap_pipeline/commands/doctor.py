"""`leap doctor`: one screen that says what is missing or wrong, and how to mend it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from leap_pipeline.commands.context import print_json
from leap_pipeline.db import migrate
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.engine import Database
from leap_pipeline.db.row_security import gaps
from leap_pipeline.db.urls import DatabaseUrls, connect, where
from leap_pipeline.errors import LeapError
from leap_pipeline.media import ffmpeg
from leap_pipeline.security.keys import KeyFile, KeySource, key_source
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.stored_secrets import Inventory, count_secrets, take_stock
from leap_pipeline.services.webhook_inbox import late_events
from leap_pipeline.services.webhooks import count_webhook_secrets
from leap_pipeline.settings import Settings, load_settings
from leap_pipeline.speech.models import resolve_model
from leap_pipeline.supervisor.status import read_status

FREE_GIB = 5
SHOWN = 5


@dataclass(frozen=True)
class Finding:
    """`mend` is empty where all is well."""

    what: str
    found: str
    mend: str = ""


class _Unwell(LeapError):
    """Something needs mending."""


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say in one screen what is missing or wrong, and how to mend it."""
    settings = load_settings()
    findings = [_safely(what, look, settings) for what, look in LOOKS]
    if as_json:
        print_json({"findings": [asdict(each) for each in findings]})
    else:
        _show(findings)
    wrong = [each.what for each in findings if each.mend]
    if wrong:
        msg = f"To be mended: {', '.join(wrong)}."
        raise _Unwell(msg)


def _safely(what: str, look: Callable[[Settings], Finding], settings: Settings) -> Finding:
    try:
        return look(settings)
    except LeapError as error:
        return Finding(what, "not usable", str(error))
    except subprocess.SubprocessError as error:
        return Finding(what, "not usable", f"it does not run ({error}): make the environment again")
    except OSError as error:
        return Finding(what, "not usable", f"{error.strerror}: {error.filename}")


def _python(_settings: Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= (3, 11) else "use Python 3.11 or newer"
    return Finding("Python", version, mend)


def _home(settings: Settings) -> Finding:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".doctor"
    probe.touch()
    probe.unlink()
    return Finding("home", str(settings.home.resolve()))


def _storage(settings: Settings) -> Finding:
    settings.storage.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.storage).free / 2**30
    mend = "" if free >= FREE_GIB else f"less than {FREE_GIB} GiB are free: make room on this disk"
    return Finding("storage", f"{settings.storage.resolve()} ({free:.0f} GiB free)", mend)


def _database(settings: Settings) -> Finding:
    urls = prepare(settings)
    kind = "embedded" if settings.database_url is None else "yours"
    return Finding("PostgreSQL", f"{kind}, {where(urls.application)}, {_revision(urls)}")


def _revision(urls: DatabaseUrls) -> str:
    return f"revision {migrate.current(urls)} of {migrate.head()}"


def _tenants(settings: Settings) -> Finding:
    urls = prepare(settings)
    with closing(connect(urls.migration)) as connection:
        missing = gaps(connection)
    if missing:
        mend = f"{'; '.join(missing)}: run `leap db protect`"
        return Finding("walls between tenants", "not whole", mend)
    return Finding("walls between tenants", "row security on every table")


def _credentials(settings: Settings) -> Finding:
    what = "encryption keys"
    source = key_source(settings)
    database = Database(prepare(settings))
    if isinstance(source, KeyFile) and not source.path.exists():
        stored = count_secrets(database)
        lost = f"{stored} stored credentials cannot be read without it: put its copy back"
        return Finding(what, f"no {source.name} yet", lost if stored else "")
    vault = Vault(source)
    stock = take_stock(database, vault)
    found = (
        f"{source.name} (keys: {vault.key_count}, credentials: {stock.total}): who loses it loses "
        "every stored credential, so keep a copy"
    )
    return Finding(what, found, _mend_keys(source, stock))


def _mend_keys(source: KeySource, stock: Inventory) -> str:
    if stock.unreadable:
        rows = ", ".join(str(each.id) for each in stock.unreadable[:SHOWN])
        more = ", …" if len(stock.unreadable) > SHOWN else ""
        return (
            f"{len(stock.unreadable)} of {stock.total} credentials cannot be decrypted ({rows}"
            f"{more}): put back the key they were written with, or connect these accounts again"
        )
    if stock.older:
        return f"{stock.older} credentials need an older key: run `leap credentials rotate`"
    if isinstance(source, KeyFile) and source.is_open_to_others():
        return f"other accounts of this machine may read it: chmod 600 {source.name}"
    return ""


def _webhooks(settings: Settings) -> Finding:
    what = "webhooks"
    apps = ["LEAP's own app"] if settings.zoom_webhook_secret is not None else []
    source = key_source(settings)
    database = Database(prepare(settings))
    if not isinstance(source, KeyFile) or source.path.exists():
        users = count_webhook_secrets(database, Vault(source))
        apps += [f"apps of users: {users}"] if users else []
    if not apps:
        return Finding(what, "not set up; recordings are found by polling (docs/webhooks.md)")
    late = late_events(database, datetime.now(UTC))
    mend = ""
    if late and read_status(settings).running:
        mend = f"{late} events wait for over 10 minutes: switch on the sensor `webhook_inbox`"
    return Finding(what, f"Zoom, {', '.join(apps)}; `leap webhooks` serves them", mend)


def _ffmpeg(_settings: Settings) -> Finding:
    out = subprocess.run(
        [ffmpeg.executable(), "-version"], capture_output=True, text=True, check=True, timeout=30
    )
    return Finding("FFmpeg", " ".join(out.stdout.split()[:3]))


def _speech(settings: Settings) -> Finding:
    return Finding("speech model", f"{settings.whisper_model} ({resolve_model(settings)})")


def _ports(settings: Settings) -> Finding:
    if read_status(settings).running:
        return Finding("ports", f"{settings.dagster_port} is LEAP's own: it is up")
    taken = list(_taken([settings.dagster_port]))
    mend = f"another program has {taken}: set LEAP_DAGSTER_PORT" if taken else ""
    return Finding("ports", f"Dagster's UI: {settings.dagster_port}", mend)


def _taken(ports: list[int]) -> Iterator[int]:
    for port in ports:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                yield port


LOOKS: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
    ("Python", _python),
    ("home", _home),
    ("storage", _storage),
    ("PostgreSQL", _database),
    ("walls between tenants", _tenants),
    ("encryption keys", _credentials),
    ("webhooks", _webhooks),
    ("FFmpeg", _ffmpeg),
    ("speech model", _speech),
    ("ports", _ports),
)


def _show(findings: list[Finding]) -> None:
    table = Table(title="leap doctor", title_justify="left")
    for heading in ("", "what", "found", "how to mend it"):
        table.add_column(heading, overflow="fold")
    for each in findings:
        mark = "[red]✗[/]" if each.mend else "[green]✓[/]"
        table.add_row(mark, each.what, each.found, each.mend)
    Console().print(table)
