"""Administration: its pages open for an admin who has nothing yet, and for nobody else."""

from __future__ import annotations

from types import SimpleNamespace

from dashboard.pages import all_pages
from leap_pipeline.domain.permissions import Role
from tests.support.accounts import ADA
from tests.support.console import Desk

BOSS = "boss@example.org"
PAGES = [page.name for page in all_pages() if page.admin]


def test_the_pages_are_an_admins_alone(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    desk.add(ADA)
    for name in PAGES:
        page = desk.open(BOSS, name)
        assert not page.exception, (name, page.exception[0].stack_trace)
        assert not page.error, (name, page.error[0].value)
    ada = SimpleNamespace(is_admin=False, may=lambda _: True)
    assert not [page.name for page in all_pages() if page.admin and page.allows(ada)]  # type: ignore[arg-type]
    assert [each.value for each in desk.open(ADA, "users").title] == ["Recordings"]
