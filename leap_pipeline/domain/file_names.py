"""Names of files that come from people's machines, and of those that go there. Pure."""

from __future__ import annotations

import re
import unicodedata

from leap_pipeline.errors import InputError

LONGEST = 255
LONGEST_KEPT = 150
LONGEST_ENDING = 10
UNNAMED = "recording"
# What one of the systems in use does not take in a name
# (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
_UNUSABLE = re.compile(r'[<>:"/\\|?*%;\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def name_to_keep(name: str) -> str:
    """A name under which any system can keep a file; its ending stays.

    What a name may not hold becomes a space, and neither a folder nor a hidden file is named.
    """
    readable = _readable(name)
    stem, dot, suffix = readable.rpartition(".")
    if not dot or len(suffix) > LONGEST_ENDING:  # a dot within a sentence ends no name
        stem, suffix = readable, ""
    stem = stem.strip(". ")[:LONGEST_KEPT].strip(". ") or UNNAMED
    kept = f"{stem}.{suffix}" if suffix else stem
    return f"_{kept}" if _RESERVED.fullmatch(kept) else kept


def ascii_name(name: str) -> str:
    """The nearest name in ASCII, for programs that read no other."""
    parted = unicodedata.normalize("NFKD", name)
    plain = "".join(each for each in parted if not unicodedata.combining(each))
    return re.sub(r"[^\x20-\x7e]", "_", plain)


def uploaded_name(name: str) -> str:
    """The name that a browser gives a file; InputError for a path or what cannot be shown."""
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)
    if not name.strip(". "):
        msg = "The file has no name: rename it, then upload it again."
        raise InputError(msg)
    if "/" in name or "\\" in name:
        msg = f"“{shown:.100}” is a path, not a file's name: upload it under its name alone."
        raise InputError(msg)
    if shown != name:
        msg = f"The name “{shown:.100}” holds characters that cannot be shown: rename the file."
        raise InputError(msg)
    if len(name) > LONGEST:
        msg = f"The name “{name:.60}…” has {len(name)} characters: at most {LONGEST} are taken."
        raise InputError(msg)
    return name


def _readable(name: str) -> str:
    plain = _UNUSABLE.sub(" ", unicodedata.normalize("NFC", name))
    kept = (each for each in plain if unicodedata.category(each) not in ("Cc", "Cf", "Cs"))
    return " ".join("".join(kept).split())
