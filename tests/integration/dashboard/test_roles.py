"""Each page for each person: nothing of another account, and nothing that is not allowed.

The pages are all that there are: a new one is tried without anybody thinking of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.pages import PageSpec, all_pages, page_named
from leap_pipeline.domain.permissions import Permission
from tests.support.accounts import ADA
from tests.support.neighbours import BOSS, CANARY, EVE, NORA, Neighbours, neighbours
from tests.support.postgres import TestServer

PAGES = [pytest.param(page, id=page.name) for page in all_pages()]
OF_USERS = [pytest.param(page, id=page.name) for page in all_pages() if not page.admin]
# On these stands none of the account's texts: numbers, and what all accounts share.
NUMBERS = {"upload", "my_usage", "overview", "plans", "youtube"}
ONES_OWN = {"notices", "my_settings"}
OFFERS = [
    (Permission.EXPORT_DATA, "recordings", "/exports/recordings.csv"),
    (Permission.EXPORT_DATA, "recording", "/files/transcript.txt"),
    (Permission.DELETE_RECORDINGS, "recordings", 'options: "Delete"'),
    (Permission.DELETE_RECORDINGS, "recording", "Delete"),
    (Permission.UPLOAD, "recordings", 'options: "Publish"'),
    (Permission.UPLOAD, "recording", "publish_VK"),
    (Permission.UPDATE_UPLOADED_VIDEOS, "recordings", "Update what is published"),
    (Permission.UPDATE_UPLOADED_VIDEOS, "recording", "update_YOUTUBE"),
    (Permission.UPDATE_UPLOADED_VIDEOS, "recording", "retract_YOUTUBE"),
    (Permission.CREATE_TEMPLATES, "recordings", "Match with templates again"),
    (Permission.CREATE_TEMPLATES, "templates", "New template"),
    (Permission.CREATE_TEMPLATES, "templates", "After a recording"),
    (Permission.CREATE_TEMPLATES, "template", "Not saved yet"),
    (Permission.MANAGE_CREDENTIALS, "connections", "connect_youtube"),
]


@pytest.fixture(scope="module")
def town(
    postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbours]:
    with neighbours(postgres_server, tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.mark.parametrize("page", PAGES)
def test_nothing_of_another_account_stands_on_any_page(town: Neighbours, page: PageSpec) -> None:
    assert CANARY not in town.sees(EVE, page, town.ada)
    # Where it is one's own, or an admin looks, it does stand there.
    owner = BOSS if page.admin else ADA
    assert (CANARY in town.sees(owner, page, town.ada)) == (page.name not in NUMBERS)


@pytest.mark.parametrize("page", OF_USERS)
def test_an_admin_sees_what_its_owner_does(town: Neighbours, page: PageSpec) -> None:
    wanted = page.name not in NUMBERS | ONES_OWN
    assert (CANARY in town.sees(BOSS, page, town.ada)) == wanted


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_there_for_whom_it_is_allowed(town: Neighbours, page: PageSpec) -> None:
    """And for nobody else, whatever its address says: then the first page stands there."""
    people = [(EVE, town.ada, not page.admin), (BOSS, town.ada, True)]
    if page.permission:
        people.append((NORA, town.nora, False))
    for email, of, allowed in people:
        titles = town.titles(email, page, of)
        led_away = titles == ["Recordings"]
        assert led_away == (not allowed or page.name == "recordings"), (email, titles)


@pytest.mark.parametrize(("permission", "page", "key"), OFFERS)
def test_what_is_not_allowed_is_not_offered(
    town: Neighbours, permission: Permission, page: str, key: str
) -> None:
    spec = page_named(page)
    assert key in town.sees(ADA, spec, town.ada), permission
    assert key in town.sees(BOSS, spec, town.ada), permission
    assert key not in town.sees(NORA, spec, town.nora), permission
