"""The real server: without a login nothing answers, and a login reaches nobody else's page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dashboard.gate import MOST_SOCKETS
from tests.support.accounts import ADA, PASSWORD
from tests.support.postgres import TestServer
from tests.support.served_town import EVE, Town, served_town
from tests.support.tabs import cookie_of, family_in, tab, texts

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

# From folders and pages that are open to what is not.
AROUND = [
    f"{begin}{step}{end}"
    for begin in ("/assets/", "/static/", "/health/", "/login/", "/webhooks/")
    for step in (
        "../",
        "%2e%2e/",
        "..%2f",
        "%2e%2e%2f",
        "..\\",
        "..%5c",
        "/",
        "x/../../",
        "/evil.example/",
    )
    for end in ("dagster/", "_stcore/host-config", "recordings/1/video", "asgi.py")
]
AROUND += [
    "/assets/../../asgi.py",
    "/assets/%2e%2e/%2e%2e/pages.py",
    "/assets//etc/passwd",
    "/assets/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/static//etc/passwd",
    "/assets/%00",
    "/health/live%00/../../dagster/",
    "//dagster/",
    "/./dagster/",
    "/%64agster/",
    "/_stcore/../dagster/",
    "http://evil.example/dagster/",
]
INSIDE = (b"root:x:", b"import ", b"Dagster")
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def town(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with served_town(postgres_server, tmp_path_factory.mktemp("console")) as found:
        yield found


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
    assert client.get("/sources", headers=followed).status_code == 200


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


@pytest.mark.parametrize("who", ["nobody", ADA])
def test_no_way_round_leads_to_what_is_not_open(town: Town, who: str) -> None:
    """Whatever an address looks like, it is judged as it is routed."""
    cookie = None if who == "nobody" else cookie_of(town.login(ADA))
    for target in AROUND:
        status, leads_to, said = town.raw(target, cookie)
        assert status in (200, 301, 303, 307, 400, 401, 404, 405), (status, target)
        assert not leads_to or re.match(r"/(?![/\\])", leads_to), (target, leads_to)
        is_frame = said.startswith(b"<!")  # the login's, or Streamlit's empty page
        assert cookie or status != 200 or is_frame, (target, said[:200])
        assert not any(each in said for each in INSIDE if not is_frame), (target, said[:200])


def test_a_part_of_a_page_ends_with_the_right_to_its_page(town: Town) -> None:
    """It reruns alone: nothing but itself asks whether the page is still allowed."""
    client = town.login(ADA)
    page = "connections"
    try:
        with tab(town.url, cookie_of(client)) as opened:
            said = opened.rerun(page)
            assert "Connect YouTube" in texts(said)
            (part,) = {each.auto_rerun.fragment_id for each in said if each.HasField("auto_rerun")}
            assert "No account is connected" in texts(opened.rerun(page, part=part))
            town.permit(ADA, can_manage_credentials=False)
            said = opened.rerun(page, part=part)
            assert "No account is connected" not in texts(said)
            # The whole page is drawn anew, and is another one.
            assert "Part of a name" in texts(opened.until_finished())
    finally:
        town.permit(ADA, can_manage_credentials=True)


def test_a_file_for_a_page_is_as_large_as_is_allowed_and_no_larger(town: Town) -> None:
    client = town.login(ADA)
    with tab(town.url, cookie_of(client)) as opened:
        opened.rerun()
        there = f"/_stcore/upload_file/{opened.session_id}/x"
        client.get("/_stcore/health")
        token = {"X-Xsrftoken": client.cookies["_streamlit_xsrf"]}
        small = client.put(there, files={"file": b"x"}, headers=token)
        assert small.status_code == 204, small.text
        assert client.put(there, files={"file": b"x"}).status_code == 403
        for place in range(9):
            answer = client.put(f"{there}{place}", files={"file": b"x"}, headers=token)
            assert answer.status_code == 204
        told = {"Content-Type": "multipart/form-data; boundary=b", **token}

        def endless() -> Iterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
            for _ in range(100):
                yield b"x" * MEGABYTE

        try:
            answer = client.put(there, content=endless(), headers=told)
        except httpx.WriteError:
            return  # cut off while it was still sending
        assert answer.status_code == 413


def test_a_message_beyond_any_page_ends_its_websocket(town: Town) -> None:
    with tab(town.url, cookie_of(town.login(ADA))) as opened:
        opened.rerun()
        opened.socket.send(b"x" * 5 * MEGABYTE)
        with pytest.raises(ConnectionClosed) as ended:
            opened.until_finished()
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009
