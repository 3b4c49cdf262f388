"""A hostile text wherever anybody can write one, on every page of the console in Chromium.

It is shown as it is: nothing runs, nothing is fetched, nothing is read as Markdown, and it is not
the content security policy that stops it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, Request
from playwright.sync_api import TimeoutError as TooLate

from dashboard.console import Console
from dashboard.pages import all_pages
from leap_pipeline.db.engine import Database
from leap_pipeline.domain.permissions import Role
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.settings import Settings
from leap_pipeline.storage.local import LocalStorage
from tests.support.browsers import Look, look
from tests.support.console import Desk, served
from tests.support.furnished import HOSTILE, Furnished, furnish
from tests.support.postgres import TestServer, urls_of

BOSS = "boss@example.org"
SHOWN = HOSTILE[:18]
# Numbers alone stand there, or nothing of the account's.
NUMBERS = {"/upload", "/my_usage", "/overview", "/youtube"}
# Elements that only the text could have made, in this document.
MADE = """() => {
    const bad = '[onerror], [onload], img[src="x"], [href^="javascript:"], [src*="evil.test"], '
        + '[href*="evil.test"], .stMarkdownColoredText';
    const found = [...document.querySelectorAll(bad)];
    const icons = document.querySelectorAll('[data-testid="stIconMaterial"]');
    found.push(...[...icons].filter((each) => each.textContent === "home"));
    found.push(...[...document.scripts].filter((each) => each.textContent.includes("alert(")));
    const words = ["fat", "link", "picture", "red"];
    for (const each of document.querySelectorAll("b, strong, a, em, i, span, img")) {
        if (words.includes((each.textContent || each.alt || "").trim())) found.push(each);
    }
    return found.map((each) => each.outerHTML.slice(0, 200));
}"""

# But for the sidebar, in which the person's own name is.
IS_SHOWN = """(text) => {
    const main = document.querySelector('[data-testid="stMain"]') ?? document.body;
    const typed = [...main.querySelectorAll("input, textarea")].map((each) => each.value);
    return [main.textContent, ...typed].some((each) => each.includes(text));
}"""
PATIENCE = 10_000
SOON = 150
"""Milliseconds within which a click has reached the page."""


@dataclass
class Town:
    url: str
    boss: Furnished


@pytest.fixture(scope="module")
def town(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("hostile")
    with postgres_server.database() as url:
        settings = Settings(
            home=folder / "home",
            storage_root=folder / "storage",
            database_url=url.render_as_string(hide_password=False),
        )
        settings.home.mkdir()
        boss = _furnished(Database(urls_of(url), pooled=True), settings)
        with served(settings, folder / "log") as address:
            yield Town(address, boss)


def _furnished(database: Database, settings: Settings) -> Furnished:
    ensure_keys(settings)
    settings.storage.mkdir(parents=True)
    storage, vault = LocalStorage(settings.storage), load_vault(settings)
    desk = Desk(Console(settings, database, storage, vault, Sessions(database, settings)))
    desk.add(BOSS, role=Role.ADMIN)
    found = furnish(desk, BOSS, HOSTILE)
    database.dispose()
    return found


def addresses(boss: Furnished) -> Mapping[str, Sequence[str]]:
    """Pages that are about one row, and the parts of each that are opened by a click."""
    parts = ("Publishing", "Settings", "History", "Files")
    return {
        f"/recording?id={boss.recording}": parts,
        f"/recording?id={boss.failed}": (),
        f"/recording?id={boss.skipped}": (),
        f"/template?id={boss.template}": (),
        f"/presets?id={boss.preset}": (),
        f"/automation?id={boss.job}": (),
        f"/user?id={boss.user_id}": ("Rights", "Plan and use", "Recordings", "Sessions", "History"),
        "/my_settings": ("Defaults", "Notices", "Password and sessions"),
    }


@dataclass
class Watch:
    """What a page did that it should not."""

    page: Page
    look: Look
    alerts: list[str]
    fetched: list[str]

    def clicks(self, what: Locator) -> None:
        what.click()
        self.page.wait_for_timeout(SOON)
        self.look.settled()

    def faults(self, address: str) -> list[str]:
        found = self._missing(address)
        found += [f"runs {each}" for each in self.alerts]
        found += [f"fetches {each}" for each in self.fetched]
        found += [f"complains {each}" for each in self.look.complaints]
        for frame in self.page.frames:
            if frame.is_detached():
                continue
            found += [f"makes {each}" for each in frame.evaluate(MADE)]
        for told in (self.alerts, self.fetched, self.look.complaints):
            told.clear()
        return [f"{address} {each}" for each in found]

    def _missing(self, address: str) -> list[str]:
        """A page that shows nothing is no sign of anything."""
        if "#" in address or address in NUMBERS:
            return []
        try:
            self.page.wait_for_function(IS_SHOWN, arg=SHOWN, timeout=PATIENCE)
        except TooLate:
            return ["does not show the text"]
        return []


def watched(found: Look) -> Watch:
    watch = Watch(found.page, found, [], [])
    own = urlsplit(found.url).netloc

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != own:
            watch.fetched.append(request.url)

    def alerted(dialog: Dialog) -> None:
        watch.alerts.append(dialog.message)
        dialog.dismiss()

    found.page.on("request", asked)
    found.page.on("dialog", alerted)
    return watch


def test_a_hostile_text_is_a_text_on_every_page(chromium: Browser, town: Town) -> None:
    with look(chromium, town.url) as found:
        watch = watched(found)
        found.login(BOSS)
        pages = [page.name for page in all_pages() if not page.hidden]
        faults = [fault for name in pages for fault in _by_navigation(watch, name)]
        for address, parts in addresses(town.boss).items():
            found.page.goto(town.url + address)
            found.settled()
            faults += watch.faults(address)
            for part in parts:
                watch.clicks(found.page.get_by_text(part, exact=True).last)
                faults += watch.faults(f"{address}#{part}")
        found.page.goto(f"{town.url}/connect/youtube?credential={town.boss.credential}")
        faults += watch.faults("/connect")
    assert faults == []


def _by_navigation(watch: Watch, name: str) -> list[str]:
    """Without loading all of Streamlit again."""
    ways = f'[href$="/{name}"]' if name != all_pages()[0].name else '[href$="/"]'
    watch.clicks(watch.page.get_by_test_id("stSidebarNav").locator(ways))
    assert watch.page.url.removeprefix(watch.look.url) in ("/", f"/{name}")
    return watch.faults(f"/{name}")
