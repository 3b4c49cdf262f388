"""Every error that LEAP raises on purpose.

    LeapError
    ├── TransientError          network, 5xx, 429, a lock: retried in the client for at most 60 s
    ├── MustWaitError           a quota, a rate window, a source still preparing: due at `due_at`
    ├── UserActionError         the user must act; the message says what to do
    │   ├── InputError          a file or an argument that cannot be used
    │   │   └── NotFound        what was named is not there, or belongs to another tenant
    │   ├── StaleChange         somebody else changed it meanwhile
    │   ├── NotAllowed          the person lacks the permission, or is no admin
    │   ├── LoginRefused        no such user and password, or the account is switched off
    │   ├── SessionEnded        whoever was logged in must log in again
    │   ├── AlreadyRunning      the recording is being worked on by somebody else
    │   ├── QuotaExceeded       a plan's limit; the message says which, how much and until when
    │   └── Undecryptable       a stored secret opens with none of the keys
    ├── DataError               a bug or bad data; the full trace goes to the log
    │   └── IllegalMove         a state machine was asked for a move that its table does not have
    └── Superseded              this worker's claim is void: stop, write nothing, mark nothing

The kind decides what happens to the work, see `is_retryable` for the one place that says so.
A message is one sentence: what is wrong, where, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class LeapError(Exception):
    """Base of all of them; `str(error)` is the sentence to show."""


class TransientError(LeapError):
    """Something outside failed for a moment."""


class MustWaitError(LeapError):
    """The work cannot go on before `due_at` (timezone-aware)."""

    def __init__(self, message: str, due_at: datetime) -> None:
        super().__init__(message)
        self.due_at = due_at


class UserActionError(LeapError):
    """Nothing goes on until a person does what the message says."""


class InputError(UserActionError):
    """A file, an argument or a setting cannot be used."""


class QuotaExceeded(UserActionError):
    """A limit of the user's plan is reached."""


class NotFound(InputError):
    """There is no such row in this scope; nobody is told whether another tenant has it."""


class StaleChange(UserActionError):
    """What the caller saw is no longer what is stored."""


class AlreadyRunning(UserActionError):
    """Another worker has this piece of work."""


class Undecryptable(UserActionError):
    """A stored secret opens with none of the keys, or holds no document."""


class NotAllowed(UserActionError):
    """The person lacks the permission, or is no admin."""


class LoginRefused(UserActionError):
    """No such user and password, or an account that is switched off."""


class SessionEnded(UserActionError):
    """Whoever was logged in must log in again."""


class DataError(LeapError):
    """A bug, or data that should not exist."""


class IllegalMove(DataError):
    """A move that the table of moves does not have."""

    def __init__(self, what: str, current: str, wanted: str, why: str) -> None:
        super().__init__(f"{what} cannot go from {current} to {wanted}: {why}")
        self.what = what
        self.current = current
        self.wanted = wanted
        self.why = why


class Superseded(LeapError):
    """Another worker holds the run token now, or the lock's connection is gone."""
