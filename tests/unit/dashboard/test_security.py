"""What a hostile address, name or text can make of an answer: nothing. Rules alone, no server."""

from __future__ import annotations

from email.message import Message
from urllib.parse import urljoin, urlsplit

import pytest

from dashboard.headers import policy_beside, script_hashes, security_headers
from dashboard.routes import login
from dashboard.routes.login import safe_next
from dashboard.routes.stored_files import disposition, type_of
from leap_pipeline.commands import system
from leap_pipeline.services.login import SWITCHED_OFF, WRONG
from leap_pipeline.settings import CHECKOUT

HERE = "https://leap.example.org"
ELSEWHERE = [
    "https://evil.example",
    "https:evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\x00/evil.example",
    "/\u2028/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "//leap.example.org@evil.example",
    "//[",
    "",
]
OURS = ["/", "/recording?id=7", "/%2F/evil.example", "/%5Cevil.example", "/.//evil.example", "/@x"]
NAMES = [
    'a"; filename="evil.exe',
    "a\r\nSet-Cookie: leap=evil",
    "a\nX: y",
    "..\\..\\evil.exe",
    "../../etc/passwd",
    "a/b",
    "\u202egnp.exe",
    "Лекция «7»; filename*=UTF-8''evil.exe",
    "x" * 5000,
    "x." + "y" * 5000,
    "\x00\x1f\x7f",
    "",
    "'%0d%0aX: y",
    "CON",
    ".htaccess",
]


@pytest.mark.parametrize("asked", ELSEWHERE)
def test_a_login_leads_nowhere_else(asked: str) -> None:
    assert safe_next(asked) == "/"


@pytest.mark.parametrize("asked", OURS)
def test_a_login_leads_back_to_a_page_of_ours(asked: str) -> None:
    assert urlsplit(urljoin(HERE, safe_next(asked))).netloc == urlsplit(HERE).netloc
    assert safe_next(asked) == asked


def test_a_login_does_not_lead_round_in_circles() -> None:
    assert {safe_next(path) for path in ("/login", "/login?next=/x", "/logout", "/leave")} == {"/"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stays_a_name_in_a_header(name: str) -> None:
    said = disposition(name)
    assert said.encode("latin-1").isascii()
    assert said.isprintable()
    message = Message()
    message["Content-Disposition"] = said
    assert message.get_content_disposition() == "attachment"
    found = message.get_filename()
    assert found
    assert not set(found) & set('/\\"\r\n\0')
    assert "\u202e" not in found
    assert found not in (".", "..")
    assert len(found.encode()) <= 255
    names = {key for key, _ in message.get_params(header="Content-Disposition") or []}
    assert names <= {"attachment", "filename"}


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.xml", "x.js", "x", "x.mp4.html", "x.PHP"])
def test_what_a_browser_would_run_has_no_type(name: str) -> None:
    assert type_of(name) == "application/octet-stream"


def test_a_policy_lets_nothing_run_that_is_not_ours() -> None:
    page = "<script>one()</script><script src=x></script>"
    policy = security_headers(HERE, script_hashes(page))["content-security-policy"]
    said = dict(each.split(" ", 1) for each in policy.split("; "))
    assert said["default-src"] == "'none'"
    assert "unsafe" not in said["script-src"]
    assert said["script-src"].count("sha256-") == 1
    assert said["connect-src"] == "'self' wss://leap.example.org"
    assert "*" not in policy
    assert "http:" not in policy
    beside = dict(each.split(" ", 1) for each in policy_beside(HERE).split("; "))
    assert beside == {key: text for key, text in said.items() if key in beside}
    assert {"connect-src", "img-src", "form-action", "frame-ancestors"} < set(beside)
    assert not {"default-src", "script-src", "style-src"} & set(beside)


def test_the_server_takes_no_larger_message_than_its_pages_do() -> None:
    config = (CHECKOUT / "dashboard/.streamlit/config.toml").read_text(encoding="utf-8")
    assert f"maxWidgetStateSize = {system.LARGEST_MESSAGE // 10**6}" in config


def test_what_a_login_refuses_is_known_to_those_who_translate() -> None:
    assert {WRONG, SWITCHED_OFF} <= set(login.SAID)
