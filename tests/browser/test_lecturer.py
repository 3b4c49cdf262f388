"""A lecturer's pages in Chromium: what only a browser shows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from sqlalchemy.engine import URL

from dashboard.console import open_console
from leap_pipeline.domain.states import Platform
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support import watched
from tests.support.accounts import ADA, PASSWORD
from tests.support.bench import Bench
from tests.support.browsers import Look, look
from tests.support.clips import make_clip
from tests.support.console import Desk, served
from tests.support.postgres import TestServer

GRAPHS, HOSTILE = "Graph theory", '<img src=x onerror=alert(1)> [y](javascript:z) ":red["'
ROW_PIXELS, HEAD_PIXELS = 40, 35


@dataclass(frozen=True)
class Place:
    """The console's address, and what is in it."""

    url: str
    recording: int
    clip: Path


def filled(url: URL, folder: Path) -> tuple[Settings, int, Path]:
    """A user with a recording that was made, a hostile one, and some that are skipped."""
    settings = Settings(
        home=folder / "home", database_url=url.render_as_string(hide_password=False)
    )
    settings.home.mkdir()
    ensure_keys(settings)
    settings.storage.mkdir(parents=True, exist_ok=True)
    clip = make_clip(folder / "clip.mp4", pattern=[("speech", 70.0)], size="64x36", fps=5)
    desk = Desk(open_console(settings))
    try:
        with desk.database.system() as session:
            user = add_user(session, ADA, "Ada Lovelace", password=PASSWORD)
            bench = Bench(desk.database, desk.console.storage, user.id, user.user_slug)
        for n in range(3):
            bench.recording(display_name=f"Algebra {n}", skip_reason="a test")
        watched.watchable(desk, bench.user_id, HOSTILE, download_status="COMPLETED")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watched, "PROCESSED", clip.read_bytes())
            number = watched.watchable(desk, bench.user_id, GRAPHS, download_status="COMPLETED")
        bench.target(number, Platform.VK, "NOT_UPLOADED")
    finally:
        desk.database.dispose()
    return settings, number, clip


@pytest.fixture(scope="module")
def place(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("lecturer")
    with postgres_server.database() as url:
        settings, number, clip = filled(url, folder)
        with served(settings, folder / "log") as address:
            yield Place(address, number, clip)


@pytest.fixture(scope="module")
def ada(chromium: Browser, place: Place) -> Iterator[Look]:
    with look(chromium, place.url) as found:
        found.login(ADA)
        yield found


def go(found: Look, address: str) -> Page:
    found.page.goto(f"{found.url}/{address}")
    found.settled()
    return found.page


def cell(page: Page, row: int, *, x: int = 120) -> tuple[float, float]:
    """Where a cell of the table is drawn; its canvas has no elements."""
    box = page.get_by_test_id("stDataFrame").bounding_box()
    assert box is not None
    return box["x"] + x, box["y"] + HEAD_PIXELS + row * ROW_PIXELS + ROW_PIXELS / 2


def player(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[src*='/player']")


def test_a_click_on_a_name_opens_it_and_back_leads_to_the_list(ada: Look, place: Place) -> None:
    page = go(ada, "recordings?q=graph&sort=name")
    page.mouse.click(*cell(page, 0))
    page.wait_for_url(f"**/recording?id={place.recording}")
    expect(page.get_by_role("heading", name=GRAPHS)).to_be_visible()
    page.go_back()
    page.wait_for_url(re.compile(r"/\?.*q=graph"))
    expect(page.get_by_placeholder("Part of a name")).to_have_value("graph")
    ada.settled()
    page.wait_for_timeout(1000)
    assert sorted(page.url.partition("?")[2].split("&")) == ["q=graph", "sort=name"]


def test_a_filter_is_in_the_address_and_back_takes_it_away(ada: Look) -> None:
    page = go(ada, "recordings")
    page.get_by_role("radio", name="Skipped 3").click()
    page.wait_for_url("**/?status=SKIPPED")
    ada.settled()
    page.go_back()
    page.wait_for_url(f"{ada.url}/")
    expect(page.get_by_role("radio", name="All 5")).to_be_checked()
    page.wait_for_timeout(1000)
    assert page.url == f"{ada.url}/"


def test_a_dialog_outlives_the_lists_refresh_and_confirms(ada: Look) -> None:
    page = go(ada, "recordings?status=SKIPPED")
    for row in range(2):
        page.mouse.click(*cell(page, row, x=15))
        expect(page.get_by_role("button", name=f"Selected: {row + 1}")).to_be_visible()
    page.get_by_role("button", name="Selected: 2").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("2 recordings")).to_be_visible()
    dialog.get_by_role("textbox").fill("2")
    page.wait_for_timeout(6000)  # the list draws itself anew each 5 seconds
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).not_to_be_visible()
    expect(page.get_by_text("Delete: 2 of 2, 2 changed")).to_be_visible()
    expect(page.get_by_role("radio", name="Bin 2")).to_be_visible()


def test_an_upload_shows_how_far_it_is_and_leads_to_its_recording(ada: Look, place: Place) -> None:
    page = go(ada, "upload")
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    size = place.clip.stat().st_size
    slow.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": size / 2})
    frame = page.frame_locator("iframe[src*='/uploads']")
    frame.locator("#files").set_input_files(place.clip)
    bar = frame.get_by_role("progressbar")
    expect(bar).to_have_js_property("max", 1)
    page.wait_for_function(
        "() => [...document.querySelectorAll('iframe')].some((each) => {"
        " const value = each.contentDocument?.querySelector('progress')?.value;"
        " return value > 0 && value < 1; })"
    )
    slow.send("Network.emulateNetworkConditions", {**limits, "uploadThroughput": -1})
    frame.get_by_role("link").click()
    page.wait_for_url("**/recording?id=*")
    expect(page.get_by_role("heading", name="clip")).to_be_visible()


def test_the_player_shows_captions_and_goes_to_a_chapter(ada: Look, place: Place) -> None:
    page = go(ada, f"recording?id={place.recording}")
    frame = player(page)
    video = frame.locator("video")
    frame.get_by_role("button", name="Captions").click()
    frame.get_by_role("navigation", name="Chapters").get_by_role("button").nth(1).click()
    assert 30 <= video.evaluate("v => v.currentTime") < 32
    shown = "v => [...(v.textTracks[0].activeCues ?? [])].map((cue) => cue.text).join()"
    page.wait_for_timeout(300)
    assert video.evaluate("v => v.textTracks[0].mode") == "showing"
    assert "alert(1)" in video.evaluate(shown)
    frame.get_by_role("searchbox").fill("ALPHA")
    expect(frame.locator("mark")).to_have_text("alpha")


PAGES = (
    "recordings",
    "recording?id={recording}",
    "upload",
    "my_usage",
    "my_settings?section=defaults",
    "my_settings?section=login",
    "notices",
)


@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_nothing_serious(ada: Look, place: Place, address: str) -> None:
    page = go(ada, address.format(recording=place.recording))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(200)
        assert ada.violations() == [], scheme
    page.emulate_media(color_scheme="light")
    assert ada.complaints == []
