"""A person before the console: what they press, write, choose and see, by the words on the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from tests.support.browsers import DESKTOP, Look, look, picture


@dataclass
class Person:
    """In a browser of their own; `pictures` is the folder of their screenshots."""

    look: Look
    pictures: Path

    @property
    def page(self) -> Page:
        return self.look.page

    def opens(self, address: str) -> None:
        """An address of the console as people keep it: `/recording?id=7`."""
        self.page.goto(f"{self.look.url}{address}")
        self.look.settled()

    def goes_to(self, page: str) -> None:
        """By the navigation."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=page).click()
        self.reads(page)

    def reads(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", name=heading, level=1)).to_be_visible()
        self.look.settled()

    def presses(self, name: str) -> None:
        """The button, in the dialog where one is open."""
        self._place().get_by_role("button", name=name, exact=True).click()

    def follows(self, name: str) -> None:
        """A link."""
        self._place().get_by_role("link", name=name).click()

    def picks(self, name: str) -> None:
        """One of several that stand side by side."""
        self._place().get_by_role("radio", name=name, exact=True).click()
        self.look.settled()

    def opens_tab(self, name: str) -> Locator:
        """What is in it."""
        self.page.get_by_role("tab", name=name).click()
        self.look.settled()
        return self.page.get_by_role("tabpanel", name=name)

    def writes(self, label: str, text: str, *, within: Locator | None = None) -> None:
        """Into a field, and on to the next one, which is when Streamlit hears of it."""
        field = (within or self._place()).get_by_label(label, exact=True)
        field.locator("visible=true").fill(text)
        self.page.keyboard.press("Tab")
        self.look.settled()

    def chooses(self, label: str, option: str) -> None:
        """In a select box."""
        box = self._place().get_by_test_id("stSelectbox")
        box.filter(has=self.page.get_by_text(label, exact=True)).locator("input").click()
        self.page.get_by_role("option", name=option, exact=True).click()
        self.look.settled()

    def sees(self, text: str) -> None:
        found = self.page.get_by_text(text).locator("visible=true")
        expect(found.first).to_be_visible()

    def is_told(self, toast: str) -> None:
        """What is said for a moment after a change."""
        expect(self.page.get_by_test_id("stToast").get_by_text(toast)).to_be_visible()
        self.look.settled()

    def frame(self, address: str) -> FrameLocator:
        """One of our own pages within the page, by the end of its address."""
        return self.page.frame_locator(f"iframe[src*='{address}']")

    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def closes_the_dialog(self) -> None:
        self.page.keyboard.press("Escape")
        expect(self.dialog()).to_have_count(0)
        self.look.settled()

    def keeps(self, name: str) -> None:
        """A screenshot, to be looked at."""
        picture(self.look, self.pictures, name)

    def _place(self) -> Locator:
        opened = self.dialog()
        return opened if opened.count() else self.page.locator("body")


@contextmanager
def person(
    opened: Browser,
    url: str,
    pictures: Path,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: str = "light",
) -> Iterator[Person]:
    with look(opened, url, size=size, scheme=scheme) as found:
        try:
            yield Person(found, pictures)
        finally:
            print(*found.complaints, sep="\n")  # shown where the test fails
