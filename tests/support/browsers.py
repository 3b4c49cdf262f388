"""A real browser before the console: Debian's Chromium, driven by Playwright.

`Look` notes whatever the browser complains of: errors of scripts, what the content security policy
refused, answers that failed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.accounts import PASSWORD
from tests.support.oidc import NODE_FOLDER

# The shell is the same engine without a browser's own window, and takes less of the processor.
NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
# Without these it looks its maker's hosts up at every start.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
# Seconds that a page may take on a machine that is busy with other tests.
PATIENCE = 60.0
DESKTOP, PHONE = (1280, 800), (390, 844)
SERIOUS = ("serious", "critical")
# Streamlit's page looks for its server below its own address before it looks above.
PROBES = re.compile(r"//[^/]+/.+/_stcore/(health|host-config)$")


@contextmanager
def browser() -> Iterator[Browser]:
    """Skips where there is no Chromium."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium-headless-shell")
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield opened
        finally:
            opened.close()


@dataclass
class Look:
    """A page in a browser of its own, and what the browser complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def login(self, email: str, password: str = PASSWORD) -> None:
        self.page.goto(f"{self.url}/login")
        self.page.fill("#email", email)
        self.page.fill("#password", password)
        self.page.click("button[type=submit]")
        self.settled()

    def settled(self) -> None:
        """Wait until the page has been drawn, and no rerun is on its way."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    def violations(self) -> list[str]:
        """What axe-core finds serious on the page as it is, its frames included
        (https://github.com/dequelabs/axe-core). The navigation is Streamlit's own, which has its
        headings and pages within one list.
        """
        source = NODE_FOLDER / "node_modules" / "axe-core" / "axe.min.js"
        if not source.exists():
            pytest.skip("axe-core is not installed: npm ci --prefix tests/contract/node")
        script = source.read_text(encoding="utf-8")
        for frame in self.page.frames:
            frame.evaluate(script)
        ours = "axe.run({exclude: ['[data-testid=stSidebarNav]']})"
        found: dict[str, Any] = self.page.evaluate(ours)
        return [
            f"{each['id']}: {node['html'][:200]}"
            for each in found["violations"]
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]


@contextmanager
def look(
    opened: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: str = "light",
    locale: str = "en-US",
) -> Iterator[Look]:
    context = opened.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=locale,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    found = Look(page, url)
    page.on("console", lambda said: _note(found, said))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    try:
        yield found
    finally:
        context.close()


def _note(found: Look, said: ConsoleMessage) -> None:
    address = said.location["url"]
    if said.type == "error" and PROBES.search(address) is None:
        found.complaints.append(f"{said.text} ({address})")


def picture(found: Look, folder: Path, name: str) -> Path:
    """A screenshot, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    found.page.screenshot(path=path, full_page=True)
    return path
