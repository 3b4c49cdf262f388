"""Many workers under tokens of 2 seconds, at a server that ends a family whose token is used twice.

    python -m benchmarks.refresh [--minutes 10] [--workers 10]

Each worker is a process that asks with the token all the time and renews it when it has ended or is
refused. npm's oidc-provider counts: no refusal, no family that ended. At the end the stored refresh
token must be good. Prints JSON; the exit code is 1 where a family was lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.services.oauth_platforms import Login
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support import at_once, oidc
from tests.support.oidc import IDS, Connecting, Oidc, Work

LIVES = 2  # seconds, of an access token
LOGINS = (Login.VK_ID, Login.ZOOM)


def drill(server: Oidc, database: Database, home: Path, workers: int, seconds: float) -> Any:
    """A grant of each rotating platform, half of the workers on each; what became of them."""
    with database.system() as session:
        user_id = add_user(session, "ada@example.org").id
    connecting = Connecting(database, server.settings(home), user_id, server)
    numbers = {login: connecting.connect(login).id for login in LOGINS}
    told = [
        Work(connecting.settings, server.url, user_id, numbers[LOGINS[each % 2]], seconds)
        for each in range(workers)
    ]
    began = time.monotonic()
    outcomes = at_once.race(database, oidc.use, told)
    took = time.monotonic() - began
    return {
        "workers": workers,
        "seconds": round(took, 1),
        "workers_ok": outcomes.count("ok"),
        "workers_refused": sorted(set(outcomes) - {"ok"}),
        "grants": {login: _grant(connecting, login, numbers[login]) for login in LOGINS},
    }


def _grant(connecting: Connecting, login: Login, number: int) -> dict[str, Any]:
    ledger = connecting.oidc.ledger()
    counted = {
        what: sum(
            times
            for (name, client, grant), times in ledger.items()
            if name == what and client == IDS[login] and grant in ("refresh_token", None)
        )
        for what in ("grant.success", "grant.error", "grant.revoked")
    }
    stored = connecting.stored(number)
    token = connecting.tokens(number).renew(stored.access_token)
    return {
        "renewals": counted["grant.success"],
        "refused": counted["grant.error"],
        "families_ended": counted["grant.revoked"],
        "active": bool(connecting.row(number).is_active),
        "good_at_the_end": connecting.takes(token),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--workers", type=int, default=10)
    arguments = parser.parse_args()
    at_once.PATIENCE = int(arguments.minutes * 60) + 120
    reason = oidc.why_not()
    if reason is not None:
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as folder:
        Path(folder).chmod(0o711)
        home = Path(folder) / "home"
        settings = Settings(home=home)
        database = Database(prepare(settings))
        try:
            with oidc.running(seconds=LIVES) as server:
                found = drill(server, database, home, arguments.workers, arguments.minutes * 60)
        finally:
            database.dispose()
            EmbeddedServer(settings).stop()
    print(json.dumps(found, indent=2))
    lost = [
        each
        for each in found["grants"].values()
        if each["families_ended"] or each["refused"] or not each["good_at_the_end"]
    ]
    sys.exit(1 if lost or found["workers_ok"] != arguments.workers else 0)


if __name__ == "__main__":
    main()
