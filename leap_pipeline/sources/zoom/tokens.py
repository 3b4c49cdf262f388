"""Access tokens of a Server-to-Server app."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import SecretStr

from leap_pipeline.oauth.platform import App
from leap_pipeline.sources.zoom.oauth import TokenEndpoint
from leap_pipeline.web.tokens import Held, SharedToken


class ServerToServerToken(SharedToken):
    """Of an app of a whole account: there is nothing to renew by, a new token is asked for."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        app: App,
        account_id: str,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(clock)
        self._endpoint = endpoint
        self._app = app
        self._account_id = account_id

    def _fetch(self, refused: SecretStr | None) -> Held:  # noqa: ARG002 - each one is new
        grant = self._endpoint.account(self._app, self._account_id)
        return Held(grant.access_token, grant.fresh_until)
