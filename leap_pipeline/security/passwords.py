"""Passwords: Argon2id for every new one; older hashes are read, and renewed at the next login.

Parameters: the second recommended option of RFC 9106, section 4 (3 passes, 64 MiB, 4 lanes),
which exceeds the minimum of the OWASP Password Storage Cheat Sheet (2 passes, 19 MiB, 1 lane).

A password is normalised to NFKC (NIST SP 800-63B asks for it), so that it is one password on every
keyboard. Older hashes were made of what was typed, byte for byte, and are compared with that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import argon2
import bcrypt

from leap_pipeline.errors import InputError

SHORTEST, LONGEST = 10, 1024  # characters; more is never hashed
PARAMETERS: Mapping[str, Any] = {"time_cost": 3, "memory_cost": 64 * 1024, "parallelism": 4}
# Many logins at once must not take all memory: 256 MiB at most in a process, the others queue.
_SLOTS = threading.BoundedSemaphore(4)
BCRYPT_BYTES = 72  # bcrypt reads no more, and what wrote the older hashes cut them there in silence


@dataclass(frozen=True)
class Verdict:
    """`outdated`: the password is right, and its hash should be replaced by a new one."""

    ok: bool
    outdated: bool = False


WRONG = Verdict(ok=False)


def check_policy(plain: str, *, email: str = "") -> None:
    """Raise InputError where a new password is too short, too long, or the address itself.

    Length counts, not kinds of characters (NIST SP 800-63B).
    """
    problem = _problem(unicodedata.normalize("NFKC", plain[: LONGEST + 1]), email)
    if problem is not None:
        msg = f"The password {problem}: choose another one."
        raise InputError(msg)


def hash_password(plain: str) -> str:
    """An Argon2id hash in PHC format, about 100 characters; the policy is not asked here."""
    if len(plain) > LONGEST:
        msg = f"The password is longer than {LONGEST} characters: choose another one."
        raise InputError(msg)
    with _SLOTS:
        return _hasher().hash(_normal(plain))


def verify_password(plain: str, hashed: str) -> Verdict:
    """Compare with a stored hash of any accepted format; anything else matches no password.

    Formats: Argon2, bcrypt ($2a, $2b, $2y), PBKDF2 as passlib writes it ($pbkdf2-sha256$…) and as
    Django does (pbkdf2_sha256$…).
    """
    if len(plain) > LONGEST:
        return WRONG
    for prefix, matches in _OLDER.items():
        if hashed.startswith(prefix):
            ok = _matches(matches, plain, hashed)
            return Verdict(ok, outdated=ok)
    return _verify_argon2(plain, hashed)


def verify_nobody(plain: str) -> None:
    """Take as long as the wrong password of a user would, for a user that does not exist."""
    with _SLOTS:
        _hasher().hash(_normal(plain[:LONGEST]))


def _verify_argon2(plain: str, hashed: str) -> Verdict:
    try:
        with _SLOTS:
            _hasher().verify(hashed, _normal(plain))
    except argon2.exceptions.VerificationError:
        return WRONG
    except argon2.exceptions.InvalidHashError:
        verify_nobody(plain)
        return WRONG
    return Verdict(ok=True, outdated=_hasher().check_needs_rehash(hashed))


def _matches(matches: Callable[[bytes, str], bool], plain: str, hashed: str) -> bool:
    try:
        return matches(plain.encode("utf-8", "surrogatepass"), hashed)
    except (ValueError, OverflowError):
        return False  # a damaged hash matches nothing


def _bcrypt(plain: bytes, hashed: str) -> bool:
    return bcrypt.checkpw(plain[:BCRYPT_BYTES], hashed.encode())


def _passlib(plain: bytes, hashed: str) -> bool:
    _, _, rounds, salt, checksum = hashed.split("$")
    return _pbkdf2(plain, _ab64(salt), rounds, _ab64(checksum))


def _django(plain: bytes, hashed: str) -> bool:
    _, rounds, salt, checksum = hashed.split("$")
    return _pbkdf2(plain, salt.encode(), rounds, base64.b64decode(checksum, validate=True))


def _pbkdf2(plain: bytes, salt: bytes, rounds: str, expected: bytes) -> bool:
    made = hashlib.pbkdf2_hmac("sha256", plain, salt, int(rounds))
    return hmac.compare_digest(made, expected)


def _ab64(text: str) -> bytes:
    """passlib's base64: `.` for `+`, no padding."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


_OLDER: Mapping[str, Callable[[bytes, str], bool]] = {
    "$2a$": _bcrypt,
    "$2b$": _bcrypt,
    "$2y$": _bcrypt,
    "$pbkdf2-sha256$": _passlib,
    "pbkdf2_sha256$": _django,
}


def _problem(plain: str, email: str) -> str | None:
    if len(plain) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(plain) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if len(set(plain)) < 3:
        return "repeats one or two characters only"
    if email and plain.casefold() == email.casefold():
        return "is the e-mail address"
    return None


def _normal(plain: str) -> bytes:
    return unicodedata.normalize("NFKC", plain).encode("utf-8", "surrogatepass")


def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher(**PARAMETERS, type=argon2.Type.ID)
