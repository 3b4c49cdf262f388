"""A driver's error, said as one sentence of what is wrong and what to do."""

from __future__ import annotations

import re

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from leap_pipeline.db.urls import where
from leap_pipeline.errors import LeapError, TransientError, UserActionError

# A refused login carries no SQLSTATE in libpq, so its words stand for it (SQLSTATE: PostgreSQL
# documentation, appendix A).
WORDS = (
    (r"password authentication failed|no password supplied", "28P01"),
    (r"role \".*\" does not exist", "28000"),
    (r"no pg_hba\.conf entry|not permitted to log in", "28000"),
    (r"database \".*\" does not exist", "3D000"),
    (r"too many (clients|connections)|remaining connection slots", "53300"),
    (r"the database system is (starting up|shutting down|in recovery)", "57P03"),
)
# Deadlock, serialization failure, lock time-out.
LOST_TO_ANOTHER = ("40P01", "40001", "55P03")
# Connection exception, operator intervention (a shutdown).
CONNECTION_CLASSES = ("08", "57P")
ASK_A_PERSON = {
    "28P01": "The database at {where} refuses the password of {user}: correct it in the URL.",
    "28000": "The database at {where} does not let {user} log in: allow it, or name another user.",
    "3D000": "There is no {where}: create it, or give {user} the right CREATEDB.",
}
TRY_AGAIN = {
    "53300": "The database at {where} has no connection left: raise max_connections or close some.",
    "57P03": "The database at {where} is starting or stopping: try again in a moment.",
}


def explained(error: psycopg.Error | DBAPIError, url: URL) -> LeapError:
    """The error to raise in its place; the driver's own words stay in its cause."""
    raw = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = " ".join(str(raw).split())
    code = getattr(raw, "sqlstate", None) or _code_of(said)
    facts = {"where": where(url), "user": url.username or "the system's user"}
    if code in ASK_A_PERSON:
        return UserActionError(ASK_A_PERSON[code].format(**facts))
    if code in TRY_AGAIN:
        return TransientError(TRY_AGAIN[code].format(**facts))
    msg = (
        f"The database at {facts['where']} cannot be reached: see that it runs and that the URL "
        f"is right ({said})."
    )
    return TransientError(msg)


def interrupted(error: DBAPIError, url: URL) -> TransientError | None:
    """The error for a transaction that may work when done again; None for any other."""
    code = getattr(error.orig, "sqlstate", None) or ""
    if code in LOST_TO_ANOTHER:
        msg = f"A transaction in the database at {where(url)} lost to another one: try again."
        return TransientError(msg)
    if error.connection_invalidated or code.startswith(CONNECTION_CLASSES):
        msg = f"The connection to the database at {where(url)} broke: try again."
        return TransientError(msg)
    return None


def role_refused(error: DBAPIError, role: str, url: URL) -> LeapError | None:
    """The sentence for a role that is missing or not granted; None for any other error."""
    code = getattr(error.orig, "sqlstate", None)
    if code in ("22023", "42704"):
        msg = f"The database at {where(url)} has no role {role}: run `leap db upgrade`."
        return UserActionError(msg)
    if code == "42501":
        msg = (
            f"{url.username} may not act as {role} in the database at {where(url)}: run "
            f"`leap db upgrade` as its owner, or GRANT {role} TO {url.username}."
        )
        return UserActionError(msg)
    return None


def _code_of(said: str) -> str | None:
    return next((code for words, code in WORDS if re.search(words, said)), None)
