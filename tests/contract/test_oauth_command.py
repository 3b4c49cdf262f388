"""`leap connect`, with a browser beside it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
import typer
from pydantic import SecretStr
from typer.testing import CliRunner

from leap_pipeline.commands import connect as command
from leap_pipeline.commands.context import Platform
from leap_pipeline.db.engine import Database
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.storage.local import LocalStorage
from tests.support.oidc import PUBLIC, Connecting

TOKEN = "vk1.a.canary-typed-at-a-prompt"
PATIENCE = 30
Run = Callable[..., Any]
app = typer.Typer()
app.command()(command.connect)


@pytest.fixture
def run(connecting: Connecting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def opened() -> Platform:
        database = Database(connecting.database.urls)
        storage = LocalStorage(tmp_path / "storage")
        return Platform(connecting.settings, database.urls, database, storage)

    monkeypatch.setattr(command, "open_platform", opened)

    def leap(*arguments: str, typed: str = "") -> Any:
        told = ["--user", "ada@example.org", "--json", *arguments]
        result = CliRunner().invoke(app, told, input=typed)
        if result.exception is not None:
            raise result.exception
        return json.loads(result.stdout)

    return leap


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Queue[str]:
    """Where the command sends the person."""
    told: Queue[str] = Queue()

    def tell(line: str) -> None:
        for address in re.findall(r"^https?://\S+$", line, re.MULTILINE):
            told.put(address)

    monkeypatch.setattr(command, "_tell", tell)
    return told


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_browser_comes_back_to_loopback(
    connecting: Connecting,
    run: Run,
    addresses: Queue[str],
    port: int,
    background: ThreadPoolExecutor,
) -> None:
    desktop = {
        "google_client_id": "desktop",
        "google_client_secret": SecretStr("secret-of-desktop"),
    }
    connecting.settings = connecting.settings.model_copy(update=desktop)
    command_line = ("youtube", "--port", str(port), "--name", "Physics")
    shown: Future[Any] = background.submit(run, *command_line)
    own = f"http://127.0.0.1:{port}"
    back = connecting.oidc.browse(addresses.get(timeout=PATIENCE), own)
    assert httpx.get(f"{own}/favicon.ico").status_code == 404
    page = httpx.get(back)
    assert (page.status_code, "this page can be closed" in page.text) == (200, True)
    view = shown.result(PATIENCE)
    assert (view["account_name"], connecting.stored(view["id"]).account) == ("Physics", "UC-ada")


def test_what_went_wrong_is_shown_in_the_browser_too(
    connecting: Connecting,
    run: Run,
    addresses: Queue[str],
    port: int,
    background: ThreadPoolExecutor,
) -> None:
    shown = background.submit(run, "youtube", "--port", str(port))
    addresses.get(timeout=PATIENCE)
    page = httpx.get(f"http://127.0.0.1:{port}/oauth/youtube/callback?state=x&code=y")
    assert (page.status_code, "expired or never began" in page.text) == (400, True)
    with pytest.raises(UserActionError, match="expired or never began"):
        shown.result(PATIENCE)
    assert connecting.count() == 0


def test_vks_fragment_comes_through_the_page(
    connecting: Connecting,
    run: Run,
    addresses: Queue[str],
    port: int,
    background: ThreadPoolExecutor,
) -> None:
    person = {"account": "Ada", "number": 1001, "scopes": ["video"]}
    connecting.oidc.control(tokens={TOKEN: person})
    shown = background.submit(run, "vk-implicit", "--port", str(port))
    state = dict(httpx.URL(addresses.get(timeout=PATIENCE)).params)["state"]
    back = f"http://127.0.0.1:{port}/oauth/vk-implicit/callback"
    assert "<script>" in httpx.get(back).text
    answer = {"answer": f"access_token={TOKEN}&expires_in=0&state={state}"}
    foreign = httpx.post(back, data=answer, headers={"Origin": "https://evil.example.org"})
    assert foreign.status_code == 400
    assert httpx.post(back, data=answer).status_code == 200
    assert connecting.stored(shown.result(PATIENCE)["id"]).user_id == "1001"


def test_the_address_is_pasted_where_the_browser_is_elsewhere(
    connecting: Connecting, run: Run, addresses: Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_question: str) -> str:
        return connecting.oidc.browse(addresses.get(timeout=PATIENCE), PUBLIC) + "\n"

    monkeypatch.setattr(command, "_read", read)
    view = run("zoom", "--paste")
    assert connecting.stored(view["id"]).host == "ada@example.org"
    again = run("zoom", "--paste", "--credential", str(view["id"]))
    assert again["id"] == view["id"]


def test_a_token_is_typed(connecting: Connecting, run: Run) -> None:
    person = {"account": "Ada", "number": 1001, "scopes": ["video"]}
    connecting.oidc.control(tokens={TOKEN: person})
    view = run("vk-implicit", "--token", typed=f"{TOKEN}\n")
    assert connecting.stored(view["id"]).user_id == "1001"
    with pytest.raises(InputError, match="Only VK's tokens are pasted"):
        run("zoom", "--token", typed="x")


def test_a_port_that_is_taken_is_said(run: Run, addresses: Queue[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserActionError, match="choose another --port"):
            run("youtube", "--port", str(taken.getsockname()[1]))


def test_nobody_is_waited_for_longer_than_the_login_lives(
    run: Run, addresses: Queue[str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.05)
    with pytest.raises(UserActionError, match="Nobody came back"):
        run("youtube", "--port", str(port))
