"""A browser's tab without the browser: Streamlit's own protocol over a real websocket.

(https://github.com/streamlit/streamlit/tree/develop/proto: BackMsg and ForwardMsg.)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.util import calc_hash
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support.accounts import PASSWORD

SECONDS = 30


def login(url: str, email: str, password: str = PASSWORD) -> httpx.Client:
    """A browser that has logged in; it is led nowhere by itself."""
    client = httpx.Client(base_url=url, headers={"Origin": url}, timeout=SECONDS)
    answer = client.post("/login", data={"email": email, "password": password})
    assert answer.status_code == 303, answer.text
    return client


def cookie_of(client: httpx.Client) -> str:
    return "; ".join(f"{name}={text}" for name, text in client.cookies.items())


def family_in(token: str) -> str:
    """The login that a token belongs to, read without its key."""
    body = token.split(".")[1]
    family: str = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["fam"]
    return family


@dataclass
class Tab:
    """One websocket, and what the server said in it."""

    socket: ClientConnection
    session_id: str = ""
    said: list[ForwardMsg] = field(default_factory=list)

    def rerun(self, page: str = "", query: str = "", part: str = "") -> Sequence[ForwardMsg]:
        """Ask for a rerun of a page, named by its address, or of a fragment on it; all that came
        till it was over.
        """
        asked = BackMsg()
        asked.rerun_script.query_string = query
        if part:
            asked.rerun_script.page_script_hash = calc_hash(page)
            asked.rerun_script.fragment_id = part
        else:
            asked.rerun_script.page_name = page
        self.socket.send(asked.SerializeToString())
        return self.until_finished()

    def until_finished(self) -> Sequence[ForwardMsg]:
        """All that comes till a run is over."""
        found: list[ForwardMsg] = []
        while True:
            message = ForwardMsg.FromString(self.socket.recv(SECONDS, decode=False))
            found.append(message)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session_id = message.new_session.initialize.session_id
            if kind == "script_finished":
                self.said += found
                return found


def texts(messages: Sequence[ForwardMsg]) -> str:
    """All that a page shows, as the protocol has it."""
    return "\n".join(str(message.delta) for message in messages if message.HasField("delta"))


@contextmanager
def tab(
    url: str,
    cookie: str | None,
    *,
    resume: str | None = None,
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Tab]:
    """Raises websockets' InvalidStatus where the server lets nobody in."""
    protocols = ["streamlit"] if resume is None else ["streamlit", "a-token", resume]
    with connect(
        f"{url.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=[Subprotocol(each) for each in protocols],
        additional_headers={**(headers or {}), **({} if cookie is None else {"Cookie": cookie})},
        origin=Origin(origin or url),
        max_size=None,
        open_timeout=SECONDS,
    ) as socket:
        yield Tab(socket)
