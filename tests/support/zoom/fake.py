"""A fake of Zoom: its API, its token endpoint and its file server behind one function.

`FakeZoom().handle(request)` is a pure function of the request, the world that a test described
(see scenario.py) and the clock: it opens no socket and never sleeps by itself. Use it through
`fake.transport()` in this process, or over sockets (see serve.py). Every request is checked against
the contract, and all of them are in `fake.ledger`.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any

import httpx

from tests.support.zoom import answers, parameters
from tests.support.zoom.errors import (
    Refused,
    bad_page_token,
    invalid,
    no_endpoint,
    no_permission,
    no_recording,
    no_scope,
    no_user,
    other_account,
)
from tests.support.zoom.faults import Fault, Faults
from tests.support.zoom.files import Cdn
from tests.support.zoom.ledger import Ledger
from tests.support.zoom.rates import CATEGORIES, Rates
from tests.support.zoom.scenario import Scenario
from tests.support.zoom.tokens import Grant, TokenRefused
from tests.support.zoom.world import LIST_ACCOUNT, LIST_FILES, LIST_USER, Account, Meeting

API = "https://api.zoom.us/v2"
OAUTH = "https://zoom.us/oauth"
FILES = "https://us02web.zoom.us"
CDN = "https://ssrweb.zoom.us"
PAGE_TIME = timedelta(minutes=15)
_ROUTES = (
    ("token", re.compile(r"/oauth/token")),
    ("user", re.compile(r"/v2/users/(?P<name>[^/]+)/recordings")),
    ("account", re.compile(r"/v2/accounts/(?P<name>[^/]+)/recordings")),
    ("details", re.compile(r"/v2/meetings/(?P<name>.+)/recordings")),
    ("download", re.compile(r"/rec/download/(?P<name>[^/]+)")),
    ("cdn", re.compile(r"/cdn/(?P<name>[^/]+)")),
)


@dataclass(frozen=True)
class Page:
    """What a page token stands for: the meetings that were found with the first page."""

    issued_at: datetime
    whose: str
    signature: tuple[object, ...]
    uuids: tuple[str, ...]
    offset: int


@dataclass
class Call:
    """A request on its way through: what the ledger will say of it."""

    request: httpx.Request
    now: datetime
    route: str = "unknown"
    name: str = ""
    account: str | None = None
    subject: str | None = None
    category: str | None = None
    headers: dict[str, str] | None = None
    note: str | None = None

    @property
    def params(self) -> dict[str, str]:
        return dict(self.request.url.params)


class FakeZoom(Scenario):
    """See the module; `enforce_rates` refuses what is above the account's plan with 429.

    `sleep` is what slow bodies and delays wait with; by default the clock's own, if it has one.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] | None = None,
        *,
        skew: timedelta = timedelta(0),
        seed: int = 0,
        enforce_rates: bool = False,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__(clock, skew=skew, seed=seed)
        own: Callable[[float], None] = getattr(self.clock, "sleep", time.sleep)
        self.sleep = sleep or own
        self.ledger = Ledger()
        self.faults = Faults()
        self.cdn = Cdn()
        self.rates = Rates(enforce_rates)
        self.pages: dict[str, Page] = {}
        self.most_per_page = parameters.MAX_PAGE  # a page may hold less than was asked for
        self.files_url, self.cdn_url = FILES, CDN

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def client(self) -> httpx.Client:
        """A client whose every address is this fake."""
        return httpx.Client(transport=self.transport())

    def fail(self, fault: Fault) -> Fault:
        return self.faults.add(fault)

    def kill_pages(self) -> None:
        """Every page token that was given out dies now."""
        with self._lock:
            self.pages.clear()

    def handle(self, request: httpx.Request) -> httpx.Response:
        call = self._call(request)
        fault = self.faults.hitting(call.route, request)
        if fault is None:
            with self._lock:
                return self._answer(call, None)
        return self._faulty(call, fault)

    def _faulty(self, call: Call, fault: Fault) -> httpx.Response:
        if fault.delay:
            self.sleep(fault.delay)
        planned = f"planned: {fault.name}"
        if fault.raises is not None and not fault.lost:
            self._note(call, 0, None, fault)
            raise fault.raises(planned, request=call.request)
        if fault.answer is not None:
            response = fault.answer(call.now)
            self._note(call, response.status_code, response.status_code, fault)
            return response
        with self._lock:
            response = self._answer(call, fault)
        if fault.raises is not None:
            raise fault.raises(planned, request=call.request)
        return response

    def _call(self, request: httpx.Request) -> Call:
        raw = request.url.raw_path.decode("ascii").partition("?")[0]
        for route, pattern in _ROUTES:
            found = pattern.fullmatch(raw)
            if found is not None:
                return Call(request, self.now(), route, found.groupdict().get("name", ""))
        return Call(request, self.now())

    def _answer(self, call: Call, fault: Fault | None) -> httpx.Response:
        if call.route == "download":
            return self._download(call, fault)
        if call.route == "cdn":
            return self._cdn(call, fault)
        try:
            body = self._body(call)
            status, headers = 200, call.headers or {}
        except TokenRefused as refused:
            status, body, headers = refused.status, dict(refused.body), {}
        except Refused as refused:
            call.note = refused.note
            headers = {**(call.headers or {}), **refused.headers}
            status, body = refused.status, refused.body
        self._note(call, status, body.get("code"), fault)
        return httpx.Response(status, content=json.dumps(body), headers=_json(headers))

    def _note(self, call: Call, status: int, code: Any, fault: Fault | None) -> int:
        entry = self.ledger.append(
            at=call.now,
            method=call.request.method,
            route=call.route,
            path=call.request.url.raw_path.decode("ascii").partition("?")[0],
            params={} if call.route in ("cdn", "token") else call.params,
            account=call.account,
            subject=call.subject or call.name or None,
            status=status,
            code=code if isinstance(code, int) else None,
            category=call.category,
            fault=fault.name if fault is not None else None,
            note=call.note,
        )
        return entry.number

    def _body(self, call: Call) -> dict[str, Any]:
        if call.route == "token":
            return self.tokens.answer(call.request, call.now)
        if call.route == "unknown":
            raise no_endpoint()
        grant = self.tokens.bearer(call.request, call.now)
        if call.request.method != "GET":
            raise Refused(405, 405, "Method not allowed.")
        account = self.world.accounts[grant.account_id]
        call.account, call.category = account.id, CATEGORIES[call.route]
        call.headers = self.rates.take(account, call.category, call.now)
        answer = {"user": self._of_user, "account": self._of_account, "details": self._details}
        return answer[call.route](call, grant, account)

    def _of_user(self, call: Call, grant: Grant, account: Account) -> dict[str, Any]:
        asked = parameters.listing(call.params, call.now)
        name = httpx.URL(f"http://x/{call.name}").path.removeprefix("/")
        user = self.world.user(grant.user_id if name == "me" else name)
        own = user is not None and user.id == grant.user_id and not grant.server_to_server
        _need(grant, LIST_USER, admin=not own)
        if user is None or user.account_id != account.id:
            raise no_user(name)
        call.subject = user.id
        return self._page(call, asked, user.id)

    def _of_account(self, call: Call, grant: Grant, account: Account) -> dict[str, Any]:
        asked = parameters.listing(call.params, call.now, of_account=True)
        _need(grant, LIST_ACCOUNT, admin=True)
        if call.name not in ("me", account.id):
            raise Refused(404, 2001, f"Account does not exist: {call.name}.")
        call.subject = account.id
        return self._page(call, asked, account.id)

    def _page(self, call: Call, asked: parameters.Listing, whose: str) -> dict[str, Any]:
        if asked.token is None:
            uuids = tuple(one.uuid for one in self._listed(asked, whose, call.now))
            page = Page(call.now, whose, asked.signature, uuids, 0)
        else:
            page = self._continued(asked, whose, call.now)
        following = page.offset + min(asked.page_size, self.most_per_page)
        part = page.uuids[page.offset : following]
        token = ""
        if following < len(page.uuids):
            token = secrets.token_urlsafe(24)
            self.pages[token] = replace(page, issued_at=call.now, offset=following)
        meetings = [self.world.meetings[uuid] for uuid in part]
        bodies = [
            answers.meeting_body(meeting, call.now, self.files_url)
            for meeting in meetings
            if asked.trash or meeting.listed(call.now)
        ]
        return answers.page_body(asked, bodies, len(page.uuids), token)

    def _continued(self, asked: parameters.Listing, whose: str, now: datetime) -> Page:
        """The page that the token stands for, while it lives and asks for the same listing."""
        page = self.pages.get(asked.token or "")
        if page is None or now - page.issued_at > PAGE_TIME or page.whose != whose:
            raise bad_page_token()
        if page.signature != asked.signature:
            raise invalid(field="next_page_token", why="The token belongs to another listing.")
        return page

    def _listed(self, asked: parameters.Listing, whose: str, now: datetime) -> list[Meeting]:
        if asked.trash:
            everything = self.world.by_host.get(whose, [])
            return [meeting for meeting in everything if meeting.absent(now)]
        first = datetime.combine(asked.first, time_of_day(), UTC)
        last = datetime.combine(asked.last + timedelta(days=1), time_of_day(), UTC)
        return [
            meeting
            for meeting in self.world.between(whose, first, last)
            if meeting.listed(now) and asked.meeting_id in (None, meeting.number)
        ]

    def _details(self, call: Call, grant: Grant, account: Account) -> dict[str, Any]:
        ttl = parameters.details(call.params)
        name = parameters.meeting_name(call.name)
        call.subject = name
        meeting = self._meeting(name, account, call.now)
        own = meeting is not None and meeting.host_id == grant.user_id
        _need(grant, LIST_FILES, admin=grant.server_to_server)
        if meeting is None:
            raise no_recording()
        if meeting.account_id != account.id:
            raise other_account(account.id)
        if meeting.refused or (not own and not grant.server_to_server and not _admin(grant)):
            raise no_permission()
        if not meeting.has_details(call.now):
            raise no_recording()
        body = answers.meeting_body(meeting, call.now, self.files_url)
        if ttl is not None and account.download_tokens:
            body["download_access_token"] = self.cdn.download_token(meeting.uuid, call.now, ttl)
        return body

    def _meeting(self, name: str, account: Account, now: datetime) -> Meeting | None:
        """By UUID; a number means the latest instance that has a recording."""
        if not name.isdigit():
            return self.world.meetings.get(name)
        instances = self.world.by_number.get((account.id, int(name)), [])
        found = [meeting for meeting in instances if meeting.has_details(now)]
        return max(found, key=lambda meeting: meeting.start, default=None)

    def _download(self, call: Call, fault: Fault | None) -> httpx.Response:
        found = self.files.get(call.name)
        if found is not None:
            call.subject = found[0].uuid
            if found[1].id(call.now) != call.name:
                found = None  # the file has another id by now
        response = self.cdn.redirect(call.request, found, self.tokens, call.now, self.cdn_url)
        self._note(call, response.status_code, None, fault)
        return response

    def _cdn(self, call: Call, fault: Fault | None) -> httpx.Response:
        named = self.cdn.signed_id(call.request, call.now)
        if isinstance(named, int) or named not in self.files:
            status = named if isinstance(named, int) else 404
            self._note(call, status, None, fault)
            return httpx.Response(status, text="<Error><Code>AccessDenied</Code></Error>")
        meeting, file = self.files[named]
        call.subject = meeting.uuid
        served = self.cdn.serve(call.request, file.content(call.now), file.appears_at)
        number = self._note(call, served.status, None, fault)
        return served.response(call.request.method, fault, self.sleep, self.ledger, number)


def _json(headers: dict[str, str]) -> dict[str, str]:
    return {**headers, "Content-Type": "application/json;charset=UTF-8"}


def _admin(grant: Grant) -> bool:
    return any(scope.endswith(":admin") for scope in grant.scopes)


def _need(grant: Grant, scope: str, *, admin: bool) -> None:
    """`:admin` suffices for everybody's, the bare scope for one's own."""
    wanted = (f"{scope}:admin",) if admin else (scope, f"{scope}:admin")
    if not grant.scopes.intersection(wanted):
        raise no_scope(wanted)
