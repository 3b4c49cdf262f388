"""The addresses to which browsers come, before and after a login at a platform."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient

from dashboard.routes.oauth import OAuthRoutes
from leap_pipeline.oauth.pages import SCRIPT
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.oauth_connect import Visitor
from tests.support.oidc import PUBLIC, Connecting

FORM = {"content-type": "application/x-www-form-urlencoded", "origin": PUBLIC}
TOKEN = "vk1.a.canary-from-a-fragment"
BROWSER = """
const location = {hash: HASH, search: SEARCH, pathname: '/oauth/vk-implicit/callback'};
const history = {replaceState: (_a, _b, to) => console.log('address', to)};
const input = {};
const form = {submit: () => console.log('sent', input.value)};
const document = {getElementById: (id) => ({answer: input, form}[id])};
"""


class Site:
    """LEAP's site with one login page's worth of it; a cookie says who is logged in."""

    def __init__(self, connecting: Connecting) -> None:
        self.connecting = connecting
        self.connected: list[CredentialView] = []
        routes = OAuthRoutes(
            connecting.connections, self._who, home="/accounts", done=self.connected.append
        )
        self.app = Starlette(routes=routes.routes())

    def _who(self, request: Request) -> Visitor | None:
        browser = request.cookies.get("session")
        return self.connecting.visitor(browser=browser) if browser else None

    def browser(self, session: str | None = "ada's") -> TestClient:
        cookies = {"session": session} if session else {}
        return TestClient(self.app, base_url=PUBLIC, cookies=cookies, follow_redirects=False)


@pytest.fixture
def site(connecting: Connecting) -> Iterator[Site]:
    made = Site(connecting)
    made.connecting.oidc.control(
        tokens={TOKEN: {"account": "Ada", "number": 1001, "scopes": ["video"]}}
    )
    yield made
    assert len(made.connected) == made.connecting.count()


def test_a_browser_goes_to_the_platform_and_comes_back(site: Site) -> None:
    browser = site.browser()
    gone = browser.post("/oauth/youtube/start", content="account_name=Physics", headers=FORM)
    assert gone.status_code == 303
    assert (gone.headers["cache-control"], gone.headers["referrer-policy"]) == (
        "no-store",
        "no-referrer",
    )
    back = browser.get(site.connecting.oidc.browse(gone.headers["location"]))
    assert back.status_code == 200
    assert "The youtube account “Physics” is connected." in back.text
    assert 'href="/accounts"' in back.text
    assert "script-src" not in back.headers["content-security-policy"]
    [view] = site.connected
    again = f"credential_id={view.id}"
    gone = browser.post("/oauth/youtube/start", content=again, headers=FORM)
    assert browser.get(site.connecting.oidc.browse(gone.headers["location"])).status_code == 200
    assert site.connected[1].id == view.id
    site.connected.pop()


def test_another_browser_and_nobody_are_refused(site: Site) -> None:
    def begun() -> str:
        gone = site.browser().post("/oauth/youtube/start", headers=FORM)
        return site.connecting.oidc.browse(gone.headers["location"])

    nobody = site.browser(None).get(begun())
    assert (nobody.status_code, "Nobody is logged in here" in nobody.text) == (401, True)
    other = site.browser("bob's").get(begun())
    assert (other.status_code, "in another browser session" in other.text) == (409, True)
    assert site.browser(None).post("/oauth/zoom/start", headers=FORM).status_code == 401


def test_what_a_platform_says_is_shown_as_text(site: Site) -> None:
    gone = site.browser().post("/oauth/youtube/start", headers=FORM)
    state = re.search("state=([^&]+)", gone.headers["location"])
    assert state is not None
    error = "%3Cscript%3Ealert(1)%3C/script%3E"
    page = site.browser().get(f"/oauth/youtube/callback?state={state[1]}&error={error}")
    assert page.status_code == 409
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example.org"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({}, 303),
    ],
)
def test_another_site_begins_nothing(site: Site, headers: dict[str, str], status: int) -> None:
    answer = site.browser().post("/oauth/zoom/start", content="a=b", headers=FORM | headers)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/oauth/facebook/start", "", 404),
        ("GET", "/oauth/zoom/start", "", 405),
        ("POST", "/oauth/zoom/callback", "answer=state", 405),
        ("POST", "/oauth/zoom/start", "credential_id=7x", 400),
        ("POST", "/oauth/zoom/start", "credential_id=7&credential_id=8", 400),
        ("POST", "/oauth/zoom/start", "&".join(f"a{n}=1" for n in range(50)), 400),
        ("POST", "/oauth/zoom/start", "a=" + "b" * 20_000, 413),
        ("GET", "/oauth/zoom/callback?state=a&state=b", "", 400),
        ("GET", "/oauth/zoom/callback", "", 409),
        ("POST", "/oauth/vk/token", "token=", 400),
    ],
)
def test_wrong_requests_are_refused(
    site: Site, method: str, path: str, content: str, status: int
) -> None:
    headers = FORM if method == "POST" else {}
    answer = site.browser().request(method, path, content=content, headers=headers)
    assert answer.status_code == status


def test_a_page_that_only_its_own_script_runs_on_brings_vks_token(site: Site) -> None:
    browser = site.browser()
    gone = browser.post("/oauth/vk-implicit/start", headers=FORM)
    state = re.search("state=([^&]+)", gone.headers["location"])
    assert state is not None
    page = browser.get("/oauth/vk-implicit/callback")
    policy = page.headers["content-security-policy"]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\son\w+=|https?://", page.text)
    answer = f"access_token={TOKEN}&expires_in=0&user_id=1001&state={state[1]}"
    sent = browser.post("/oauth/vk-implicit/callback", data={"answer": answer}, headers=FORM)
    assert sent.status_code == 200
    assert TOKEN not in sent.text
    replayed = browser.post("/oauth/vk-implicit/callback", data={"answer": answer}, headers=FORM)
    assert replayed.status_code == 409


@pytest.mark.parametrize(
    ("fragment", "query", "expected"),
    [
        ("'#access_token=t&state=s'", "''", ["sent access_token=t&state=s"]),
        ("''", "'?error=access_denied&state=s'", ["sent error=access_denied&state=s"]),
        ("''", "''", []),
    ],
)
def test_the_script_takes_the_token_out_of_the_address(
    fragment: str, query: str, expected: list[str], site: Site
) -> None:
    scene = BROWSER.replace("HASH", fragment).replace("SEARCH", query)
    done = subprocess.run(
        ["node", "-e", scene + SCRIPT], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines() == ["address /oauth/vk-implicit/callback", *expected]


def test_a_token_is_pasted(site: Site) -> None:
    sent = site.browser().post(
        "/oauth/vk/token", data={"token": TOKEN, "account_name": "VK"}, headers=FORM
    )
    assert "The vk account “VK” is connected." in sent.text
