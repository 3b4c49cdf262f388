"""The real server: without a login nothing answers, and a login reaches nobody else's page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from dashboard.gate import MOST_SOCKETS
from leap_pipeline.db.engine import Database
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA, PASSWORD
from tests.support.console import served
from tests.support.postgres import TestServer, urls_of
from tests.support.tabs import cookie_of, family_in, login, tab, texts

EVE = "eve@example.org"
OPEN = ["/login", "/link/password", "/link/address", "/leave", "/health/live", "/health/ready"]
OPEN += ["/_stcore/health", "/assets/page.css", "/static/js/nothing.js", "/favicon.png"]
CLOSED = ["/", "/recordings", "/recording?id=1", "/anything/at/all", "/_stcore/host-config"]
CLOSED += ["/media/abc.png", "/oauth/youtube/callback?code=1&state=2", "/dagster/", "/login.html"]
CLOSED += ["/_stcore/upload_file/1/2", "/linkage", "/healthy", "/static", "/assets"]
ELSEWHERE = ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", " /x"]
ELSEWHERE += ["javascript:x", "//[", "/leave", "/\t/evil.example", "/login?next=/login"]
ELSEWHERE += ["/x\r\nSet-Cookie: y=1"]
NOTHING = ["/_stcore/metrics", "/_stcore/agent/openapi.json", "/_stcore/script-health-check"]
NOTHING += ["/component/x/index.html", "/auth/login", "/oauth2callback", "/app/static/x"]


@dataclass
class Town:
    """A served console with two people, and the browsers that a test opens."""

    url: str
    opened: list[httpx.Client] = field(default_factory=list)

    def browser(self) -> httpx.Client:
        self.opened.append(httpx.Client(base_url=self.url, headers={"Origin": self.url}))
        return self.opened[-1]

    def login(self, email: str) -> httpx.Client:
        self.opened.append(login(self.url, email))
        return self.opened[-1]


@pytest.fixture(scope="module")
def town(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("console")
    with postgres_server.database() as url:
        settings = Settings(
            home=folder / "home",
            storage_root=folder / "storage",
            database_url=url.render_as_string(hide_password=False),
        )
        database = Database(urls_of(url))
        with database.system() as session:
            add_user(session, ADA, "Ada", password=PASSWORD)
            add_user(session, EVE, "Eve", password=PASSWORD)
        database.dispose()
        settings.home.mkdir()
        with served(settings, folder / "log") as address:
            yield Town(address)


@pytest.fixture(autouse=True)
def closed_browsers(town: Town) -> Iterator[None]:
    yield
    while town.opened:
        town.opened.pop().close()


@pytest.mark.parametrize("path", OPEN)
def test_these_answer_anybody(town: Town, path: str) -> None:
    assert town.browser().get(path).status_code in (200, 404)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", CLOSED)
def test_without_a_login_nothing_else_answers(town: Town, path: str, method: str) -> None:
    answer = town.browser().request(method, path)
    assert answer.status_code == 401, (answer.status_code, answer.text[:200])
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", NOTHING)
def test_what_streamlit_offers_beside_pages_is_not_there(town: Town, path: str) -> None:
    assert town.browser().get(path).status_code == 404
    assert town.login(ADA).get(path).status_code == 404


def test_no_websocket_opens_without_a_login(town: Town) -> None:
    for cookie in (None, "leap=", "leap=not.a.token", "__Host-leap=x"):
        with pytest.raises(InvalidStatus) as refused, tab(town.url, cookie):
            pass
        assert refused.value.response.status_code == 403


def test_no_websocket_opens_from_another_site(town: Town) -> None:
    cookie = cookie_of(town.login(ADA))
    with pytest.raises(InvalidStatus), tab(town.url, cookie, origin="https://evil.example"):
        pass


def test_a_websocket_of_a_login_shows_the_page_of_its_person(town: Town) -> None:
    with tab(town.url, cookie_of(town.login(ADA))) as opened:
        shown = texts(opened.rerun())
    assert "Ada" in shown
    assert "Recordings" in shown


def test_the_header_that_the_gate_sets_cannot_be_brought(town: Town) -> None:
    """The login of a websocket is told to its script in a header, which only the gate may set."""
    adas = family_in(town.login(ADA).cookies["leap"])
    eves = cookie_of(town.login(EVE))
    with tab(town.url, eves, headers={"X-Leap-Family": adas, "x-leap-FAMILY": adas}) as opened:
        assert "Eve" in texts(opened.rerun())


def test_a_leaked_session_id_attaches_nobody_to_a_strangers_page(town: Town) -> None:
    with tab(town.url, cookie_of(town.login(ADA))) as adas:
        adas.rerun()
        leaked = adas.session_id
        assert leaked
    with tab(town.url, cookie_of(town.login(EVE)), resume=leaked) as eves:
        shown = texts(eves.rerun())
    assert eves.session_id != leaked
    assert "Eve" in shown


def test_ones_own_session_is_taken_up_again(town: Town) -> None:
    client = town.login(ADA)
    with tab(town.url, cookie_of(client)) as first:
        first.rerun()
    with tab(town.url, cookie_of(client), resume=first.session_id) as second:
        second.rerun()
    assert second.session_id == first.session_id


def test_a_token_that_was_there_before_the_login_is_worth_nothing(town: Town) -> None:
    """Session fixation: whoever plants a cookie must not share the session that comes of it."""
    planted = "eyJhbGciOiJIUzI1NiJ9.e30.planted"
    client = town.browser()
    client.cookies.set("leap", planted)
    client.post("/login", data={"email": ADA, "password": PASSWORD})
    assert planted not in [cookie.value for cookie in client.cookies.jar if cookie.domain]
    assert httpx.get(f"{town.url}/", cookies={"leap": planted}).status_code == 401


def test_within_the_grace_two_tabs_use_one_token(town: Town) -> None:
    client = town.login(ADA)
    second = town.browser()
    second.cookies.set("leap", client.cookies["leap"])
    for tab_of in (client, second):
        assert tab_of.get("/", headers={"Accept": "text/html"}).status_code == 200
        assert tab_of.get("/_stcore/host-config").status_code == 200


def test_logging_out_ends_the_websocket_too(town: Town) -> None:
    client = town.login(ADA)
    with tab(town.url, cookie_of(client)) as opened:
        assert "Recordings" in texts(opened.rerun())
        assert client.post("/logout").status_code == 303
        shown = texts(opened.rerun())
    assert "You are logged out" in shown
    assert "Part of a name" not in shown


@pytest.mark.parametrize("asked", ELSEWHERE)
def test_a_login_leads_to_no_other_site(town: Town, asked: str) -> None:
    form = {"email": ADA, "password": PASSWORD, "next": asked}
    answer = town.browser().post("/login", data=form)
    assert answer.headers["location"] == "/"


def test_a_form_of_another_site_does_nothing(town: Town) -> None:
    client = town.login(ADA)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": town.url.replace("localhost", "localhost.evil.example")},
    ):
        assert client.post("/logout", headers=headers).status_code == 403
    del client.headers["Origin"]
    assert client.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/logout").status_code == 403
    assert client.get("/_stcore/host-config").status_code == 200


def test_what_only_reads_may_be_a_link_of_another_site_and_nothing_else(town: Town) -> None:
    """Dagster's GraphQL carries out a mutation that a GET brings: no other site may bring one."""
    client = town.login(ADA)
    fetched = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    fetched["Sec-Fetch-Dest"] = "empty"
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    followed["Sec-Fetch-Dest"] = "document"
    for path in ("/dagster/graphql?query=mutation", "/recordings", "/media/x.png"):
        assert client.get(path, headers=fetched).status_code == 403
    framed = followed | {"Sec-Fetch-Dest": "iframe"}
    assert client.get("/recordings", headers=framed).status_code == 403
    assert client.get("/recordings", headers=followed).status_code == 200


def test_a_file_goes_to_ones_own_session_alone(town: Town) -> None:
    with tab(town.url, cookie_of(town.login(ADA))) as adas:
        adas.rerun()
        eve = town.login(EVE)
        there = f"/_stcore/upload_file/{adas.session_id}/x"
        for method in ("PUT", "DELETE"):
            assert eve.request(method, there, content=b"x").status_code == 404


def test_a_neighbours_cookie_does_not_hide_ours(town: Town) -> None:
    """All ports of a host share them; Python's own parser gives up at the first odd one."""
    ours = cookie_of(town.login(ADA))
    for odd in ('prefs={"a":1}', "version=1", "alone", 'theme="dark', "x=a b"):
        answer = town.browser().get("/_stcore/host-config", headers={"Cookie": f"{odd}; {ours}"})
        assert answer.status_code == 200, odd


def test_nothing_that_is_sent_breaks_a_page(town: Town) -> None:
    browser = town.browser()
    assert browser.get("/login?next=//[").status_code == 200
    assert browser.post("/login", headers={"Origin": "http://["}).status_code == 403
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/link/password", headers=form).status_code == 400
    assert browser.post("/login", headers=form, content=b"\xff=\xff").status_code == 400
    assert browser.post("/login", headers=form, content=b"a=b&" * 9000).status_code == 413
    assert browser.post("/login", json={"email": ADA}).status_code == 415


def test_a_login_has_so_many_websockets_and_no_more(town: Town) -> None:
    cookie = cookie_of(town.login(ADA))
    with ExitStack() as stack:
        for _ in range(MOST_SOCKETS):
            stack.enter_context(tab(town.url, cookie))
        with pytest.raises(InvalidStatus), tab(town.url, cookie):
            pass
        with tab(town.url, cookie_of(town.login(EVE))) as eves:
            eves.rerun()


def test_what_somebody_sees_is_kept_by_nobody_else(town: Town) -> None:
    client = town.login(ADA)
    for path in ("/", "/media/x.png", "/recordings"):
        kept = client.get(path, headers={"Accept": "text/html"}).headers["cache-control"]
        assert "no-store" in kept
