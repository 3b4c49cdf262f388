"""Set-up and administration in Chromium: what follows what is typed, what asks back, what draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect
from sqlalchemy.engine import URL

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.due_times import crontab_of
from leap_pipeline.domain.permissions import Rights, Role
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.catalogue import create_preset, create_source, create_template
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.jobs import create_job
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.users import add_user, user_of
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA, PASSWORD
from tests.support.browsers import PHONE, SERIOUS, Look, look
from tests.support.console import served
from tests.support.oidc import NODE_FOLDER
from tests.support.postgres import TestServer, urls_of

BOSS = "boss@example.org"
NAMES = ("On graphs 1", "On graphs 2", "On trees")
PERSON = Editor(SYSTEM, Rights())
SECRET = "canary-0123456789-abcdef"
AXE = NODE_FOLDER / "node_modules" / "axe-core" / "axe.min.js"
# Streamlit's own navigation has lists within which not everything is an item; all else is ours.
OURS = "[data-testid=stMain]"


@dataclass(frozen=True)
class Served:
    """A console that runs, its database, and an admin's id."""

    url: str
    database: Database
    boss: str


@pytest.fixture(scope="module")
def console(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("console")
    with postgres_server.database() as url:
        settings, database = settings_of(url, folder / "home"), Database(urls_of(url), pooled=True)
        boss = filled(database, settings)
        with served(settings, folder / "log") as address:
            yield Served(address, database, boss)
        database.dispose()


def settings_of(url: URL, home: Path) -> Settings:
    home.mkdir()
    return Settings(home=home, database_url=url.render_as_string(hide_password=False))


def filled(database: Database, settings: Settings) -> str:
    """A user with recordings, and an admin with something on every page; the admin's id."""
    ensure_keys(settings)
    with database.system() as session:
        ada = add_user(session, ADA, "Ada", password=PASSWORD).id
        boss = add_user(session, BOSS, "Boss", password=PASSWORD, role=Role.ADMIN).id
        for user in (ada, boss):
            assign_plan(session, user, "Plus", change=Change(SYSTEM, datetime.now(UTC)))
    lectures(database, ada)
    lectures(database, boss)
    with database.tenant(boss) as session:
        store = Credentials(session, boss, load_vault(settings))
        grant = {"access_token": SECRET, "refresh_token": SECRET}
        channel = store.create("youtube", grant, PERSON, account_name="Channel").id
        create_source(session, PERSON, name="Lab", source_type="ZOOM", config={})
        create_preset(
            session, PERSON, name="Open", platform="YOUTUBE", credential_id=channel,
            preset_metadata={"privacy": "public"},
        )  # fmt: skip
        rules = {"keywords": ["graphs"]}
        template, _ = create_template(session, PERSON, name="Graphs", matching_rules=rules)
        create_job(
            session, PERSON, name="Nightly", job_type="sync_and_process", enabled=True,
            template_id=template.id, source_ids=[], **crontab_of("30 3 * * *"),
        )  # fmt: skip
    return boss


def lectures(database: Database, user_id: str) -> None:
    """Recordings, the first of which was prepared in nine minutes."""
    now = datetime.now(UTC)
    with database.tenant(user_id) as session:
        recordings = Recordings(session)
        rows = [
            recordings.create(display_name=name, start_time=now, duration=5400) for name in NAMES
        ]
        session.add(
            RecordingRun(
                recording_id=rows[0].id, user_id=user_id, phase="prepare", state="done",
                started_at=now - timedelta(minutes=9), finished_at=now,
            )
        )  # fmt: skip


def opened(found: Look, path: str) -> None:
    found.page.goto(f"{found.url}/{path}")
    expect(found.page.locator("h1")).to_be_visible()
    found.settled()


def typed(field: Locator, text: str) -> None:
    """As a person does it, who goes on to another field then."""
    field.fill(text)
    field.blur()


def test_the_preview_of_a_template_follows_what_is_typed(
    chromium: Browser, console: Served
) -> None:
    with look(chromium, console.url) as found:
        found.login(ADA)
        opened(found, "template")
        page = found.page
        words = page.get_by_role("textbox", name="Words in the name")
        expect(page.get_by_text("Nothing yet")).to_be_visible()
        typed(page.get_by_role("textbox", name="Name", exact=True), "Graphs")
        typed(words, "graphs")
        expect(page.get_by_text("It takes 2 recordings when it is created")).to_be_visible()
        expect(page.get_by_text("This template takes it.")).to_be_visible()
        page.get_by_role("tab", name="Texts").click()
        typed(page.get_by_role("textbox", name="Title", exact=True).first, "A: {display_name}")
        expect(page.get_by_text(re.compile("^A: On graphs"))).to_be_visible()
        page.get_by_role("tab", name="Recordings").click()
        typed(words, "trees")
        expect(page.get_by_text("It takes 1 recording when it is created")).to_be_visible()
        expect(page.get_by_text("A: On trees")).to_be_visible()
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_text("Created: it took 1 recording")).to_be_visible()
        expect(page.get_by_role("heading", name="Graphs", exact=True)).to_be_visible()
        assert found.complaints == []


def test_the_next_five_times_follow_the_crontab(chromium: Browser, console: Served) -> None:
    with look(chromium, console.url, size=PHONE) as found:
        found.login(ADA)
        opened(found, "automation?id=new")
        minutes = found.page.get_by_role("textbox", name="Minutes")
        times = found.page.get_by_role("listitem").filter(has_text=re.compile(r"\d\d:\d\d:\d\d \("))
        expect(times).to_have_count(5)
        expect(times.first).to_contain_text("06:00:00")
        # Nothing is pressed, and the field is not left: it follows the keys.
        minutes.press("End")
        minutes.press_sequentially(",45")
        expect(times.filter(has_text="06:45:00").first).to_be_visible()
        expect(times.filter(has_text="06:00:00").first).to_be_visible()
        minutes.fill("61")
        expect(found.page.get_by_role("alert").filter(has_text="61")).to_be_visible()
        expect(times).to_have_count(0)
        found.page.get_by_role("radio", name="At an interval").click()
        expect(times).to_have_count(5)
        assert found.complaints == []


def test_a_user_is_deleted_only_by_who_types_the_address(
    chromium: Browser, console: Served
) -> None:
    with console.database.system() as session:
        gone = add_user(session, "gone@example.org", "Gone").id
    with look(chromium, console.url) as found:
        found.login(BOSS)
        opened(found, f"user?id={gone}")
        page, dialog = found.page, found.page.get_by_role("dialog")
        page.get_by_role("button", name="Delete this user").click()
        dialog.get_by_role("textbox").fill("somebody@example.org")
        dialog.get_by_role("button", name="Delete for good").click()
        expect(dialog.get_by_text("what was typed is something else")).to_be_visible()
        with console.database.system() as session:
            assert user_of(session, "gone@example.org") is not None
        dialog.get_by_role("textbox").fill("gone@example.org")
        dialog.get_by_role("button", name="Delete for good").click()
        expect(page.get_by_role("heading", name="Users")).to_be_visible()
        with console.database.system() as session:
            assert user_of(session, "gone@example.org") is None
        assert found.complaints == []


def test_charts_are_drawn_and_the_browser_refuses_nothing(
    chromium: Browser, console: Served
) -> None:
    with look(chromium, console.url) as found:
        found.login(BOSS)
        opened(found, "overview")
        for name in ("Recordings a day", "Minutes of preparation, the usual one"):
            chart = found.page.get_by_role("img", name=name)
            expect(chart).to_be_visible()
            tall = chart.evaluate(
                "each => Math.max(...[...each.querySelectorAll('div > div')]"
                ".map(bar => bar.getBoundingClientRect().height))"
            )
            assert tall > 100, name
        assert found.complaints == []


IN_NAVIGATION = "templates presets thumbnails sources connections automation "
IN_NAVIGATION += "overview users plans youtube configs audit system"
HIDDEN = "template?id=1 presets?id=1 automation?id=1 user?id={boss} user?id={boss}&part=plan"


def test_axe_finds_nothing_serious_in_either_scheme(chromium: Browser, console: Served) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci --prefix tests/contract/node")
    with look(chromium, console.url) as found:
        found.login(BOSS)
        bring_axe(found)
        for path in IN_NAVIGATION.split():
            link = found.page.locator(f"[data-testid=stSidebarNav] a[href$='/{path}']")
            title = link.inner_text()
            link.click()
            expect(found.page.get_by_role("heading", level=1, name=title)).to_be_visible()
            found.settled()
            in_both_schemes(found, path)
        for path in HIDDEN.format(boss=console.boss).split():
            opened(found, path)
            bring_axe(found)
            in_both_schemes(found, path)
        assert found.complaints == []


def bring_axe(found: Look) -> None:
    """Into the document as it is; pages of the navigation are drawn in the same one."""
    found.page.add_style_tag(content="* { transition: none !important; }")
    found.page.evaluate(AXE.read_text(encoding="utf-8"))


def in_both_schemes(found: Look, path: str) -> None:
    app = found.page.locator("[data-testid=stApp]")
    expect(app).to_have_css("color-scheme", "light")
    assert serious(found, "{}") == [], path
    found.page.emulate_media(color_scheme="dark")
    expect(app).to_have_css("color-scheme", "dark")
    # Of what axe looks at, the scheme changes the colours alone.
    assert serious(found, "{runOnly: ['color-contrast']}") == [], f"{path} in the dark"
    found.page.emulate_media(color_scheme="light")


def serious(found: Look, options: str) -> list[str]:
    """What axe-core finds on the page as it is, but for the navigation."""
    told = found.page.evaluate(f"axe.run('{OURS}', {options})")
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in told["violations"]
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]
