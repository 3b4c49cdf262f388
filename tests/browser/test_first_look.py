"""The console's frame in Chromium: it draws, refuses itself nothing, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy.engine import URL

from leap_pipeline.db.engine import Database
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support import postgres
from tests.support.accounts import ADA, PASSWORD
from tests.support.browsers import DESKTOP, PHONE, look, picture
from tests.support.console import served
from tests.support.postgres import TestServer, urls_of


def people(url: URL, home: Path) -> Settings:
    """Settings of a console on that database, and somebody to log in as."""
    database = Database(urls_of(url), pooled=True)
    with database.system() as session:
        add_user(session, ADA, "Ada", password=PASSWORD)
    database.dispose()
    home.mkdir()
    return Settings(home=home, database_url=url.render_as_string(hide_password=False))


@pytest.fixture(scope="module")
def console(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("console")
    with (
        postgres_server.database() as url,
        served(people(url, folder / "home"), folder / "log") as address,
    ):
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_draws_and_the_browser_complains_of_nothing(
    chromium: Browser, console: str, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    with look(chromium, console, size=size, scheme=scheme) as found:
        found.page.goto(f"{console}/")
        assert found.violations() == []
        picture(found, tmp_path, "login")
        found.login(ADA)
        expect(found.page.get_by_role("heading", name="Recordings")).to_be_visible()
        picture(found, tmp_path, "recordings")
        assert found.violations() == []
        assert found.complaints == []


def test_a_wrong_password_is_said_and_the_address_kept(chromium: Browser, console: str) -> None:
    with look(chromium, console) as found:
        found.page.goto(f"{console}/recording?id=7")
        found.page.fill("#email", ADA)
        found.page.fill("#password", "something else")
        found.page.click("button[type=submit]")
        expect(found.page.get_by_role("alert")).to_contain_text("The address or the password")
        assert found.page.input_value("#email") == ADA
        found.page.fill("#password", PASSWORD)
        found.page.click("button[type=submit]")
        found.settled()
        assert found.page.url == f"{console}/recording?id=7"


def test_logging_out_leads_to_the_login(chromium: Browser, console: str) -> None:
    with look(chromium, console) as found:
        found.login(ADA)
        found.page.get_by_role("button", name="Log out").click()
        found.page.wait_for_url(f"{console}/login**")
        found.page.goto(f"{console}/")
        assert found.page.url == f"{console}/login"


def test_it_speaks_the_language_of_the_browser(chromium: Browser, console: str) -> None:
    with look(chromium, console, locale="ru-RU") as found:
        found.page.goto(f"{console}/")
        assert found.page.get_attribute("html", "lang") == "ru"


def test_while_the_database_restarts_an_open_page_says_so_and_comes_back(
    chromium: Browser, tmp_path: Path
) -> None:
    with postgres.server() as server, server.database() as url:
        settings = people(url, tmp_path / "home")
        with served(settings, tmp_path / "log") as address, look(chromium, address) as found:
            found.login(ADA)
            server.embedded.stop()
            said = found.page.get_by_text("The database does not answer at the moment").first
            expect(said).to_be_visible()
            server.embedded.ensure_running()
            expect(said).not_to_be_visible()
            expect(found.page.get_by_role("heading", name="Recordings")).to_be_visible()
            expect(found.page.get_by_placeholder("Part of a name")).to_be_visible()
