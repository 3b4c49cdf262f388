"""How a digest leaves the house: a mail through Apprise, a post to a webhook.

Apprise resolves a webhook's name by itself, after which nothing knows where it connects to; so
posts go through the connections of downloads, which reach public addresses only.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import warnings
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from leap_pipeline.errors import InputError, LeapError, TransientError, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.services.notice_channels import checked_address
from leap_pipeline.settings import Settings
from leap_pipeline.sources.http_file_network import CheckedNetwork, PrivateAddress

MAIL_SCHEMES = ("mailto", "mailtos")
MAIL_SECONDS = 5.0
POST_SECONDS, LONGEST_POST_SECONDS = 5.0, 10.0
WRONG_MAIL_URL = (
    "LEAP_MAIL_URL is no address of a mail server: give one such as "
    "mailtos://name:password@smtp.example.org?from=leap@example.org."
)

logger = logging.getLogger(__name__)


class Mailer:
    """Sends through the operator's mail server, as `LEAP_MAIL_URL` names it."""

    def __init__(self, url: str) -> None:
        """Raises `InputError` for an address that Apprise does not know as a mail server's."""
        if urlsplit(url).scheme not in MAIL_SCHEMES:
            raise InputError(WRONG_MAIL_URL)
        self._url = url
        self._server("leap@example.org")

    def send(self, address: str, title: str, body: str) -> None:
        """Raises `TransientError` where the server does not take it; why is in the log."""
        server = self._server(address)
        if not server.notify(body=body, title=title, body_format="text"):
            msg = "The mail server did not take the mail: LEAP tries again."
            raise TransientError(msg)

    def _server(self, address: str) -> Any:
        """Apprise's service, for one recipient."""
        mail = _mail_plugin()
        parts = mail.NotifyEmail.parse_url(self._url)
        if not parts:
            raise InputError(WRONG_MAIL_URL)
        # Whom the operator's own address names is not whom a notice is for.
        parts |= {"targets": [address], "format": "text", "cto": MAIL_SECONDS}
        try:
            return mail.NotifyEmail(**parts)
        except (TypeError, ValueError) as error:
            raise InputError(WRONG_MAIL_URL) from error


@lru_cache(maxsize=1)
def _mail_plugin() -> ModuleType:
    """Apprise, when it is needed: it takes a while, and looks for a module that Python drops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from apprise.plugins.email import base
    return base


class Poster:
    """Posts JSON to public addresses, one at a time; follows no redirect, reads no answer."""

    def __init__(
        self, *, private_addresses: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self._private = private_addresses
        self._tls = tls or httpx.create_ssl_context()

    def post(self, address: str, document: Mapping[str, Any]) -> None:
        """Raises `UserActionError` for what its owner must put right, else `TransientError`."""
        url = httpx.URL(checked_address(address, private_addresses=self._private))
        network = CheckedNetwork(private_addresses=self._private)
        # A server that sends its answer byte by byte keeps nobody waiting.
        cut = threading.Timer(LONGEST_POST_SECONDS, network.cut)
        cut.daemon = True
        cut.start()
        try:
            status = self._status(network, url, json.dumps(document).encode())
        finally:
            cut.cancel()
        if 200 <= status < 300:
            return
        said = f"The webhook at {url.host} answered {status}"
        if 300 <= status < 500 and status not in (408, 425, 429):
            msg = f"{said}: see whether its address is still right."
            raise UserActionError(msg)
        msg = f"{said}: LEAP tries again."
        raise TransientError(msg)

    def _status(self, network: CheckedNetwork, url: httpx.URL, body: bytes) -> int:
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), POST_SECONDS)
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": "LEAP",
        }
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        request = httpcore.Request(
            "POST",
            target,
            headers=list(headers.items()),
            content=body,
            extensions={"timeout": timeout},
        )
        try:
            with httpcore.ConnectionPool(
                ssl_context=self._tls, network_backend=network
            ) as connections:
                answer = connections.handle_request(request)
                answer.close()
        except PrivateAddress as error:
            msg = (
                f"The webhook's address {url.host} leads into a private network: give a public one."
            )
            raise UserActionError(msg) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            msg = f"The webhook at {url.host} could not be reached: LEAP tries again."
            raise TransientError(msg) from error
        return answer.status


def mailer_of(settings: Settings) -> Mailer | None:
    """None where the operator has set none, or one that cannot be used, which the log says."""
    if settings.mail_url is None:
        return None
    try:
        return Mailer(settings.mail_url.get_secret_value())
    except InputError as error:
        logger.warning("No mail is sent: %s", error)
        return None


def said(error: Exception) -> str:
    """A failure as its owner may read it."""
    if isinstance(error, LeapError):
        return redact(str(error))
    logger.error("A notice could not be sent", exc_info=error)
    return "LEAP met an error of its own while sending: it is in the log."
