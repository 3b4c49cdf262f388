"""Where a text may be cut without spoiling a character as a reader sees it.

Unicode's extended grapheme clusters (UAX #29) from what `unicodedata` knows. Where that knows too
little, characters are held together: a cut falls a little earlier, never inside a cluster.
"""

from __future__ import annotations

import unicodedata

_ZWJ = "\u200d"
_MARKS = ("Mn", "Me", "Mc")
_CONTROLS = ("Cc", "Cf", "Zl", "Zp")
_PREPENDED = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e"
    "\U000110bd\U000110cd\U000111c2\U000111c3\U000113d1\U0001193f\U00011941\U00011a3a"
    "\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46\U00011f02"
)
_EXTENDING = frozenset(
    [_ZWJ, "\u200c", "\u0e33", "\u0eb3", "\uff9e", "\uff9f"]  # Thai and Lao am, kana voice marks
    + [chr(code) for code in range(0x1F3FB, 0x1F400)]  # skin tones
    + [chr(code) for code in range(0xE0020, 0xE0080)]  # the tags of regional flags
)
_FOLLOWERS = {"L": "LVS", "V": "VT", "S": "VT", "T": "T"}
_VIRAMA = 9
"""The combining class of the sign that joins two Indic consonants."""


def is_boundary(text: str, index: int) -> bool:
    """Whether the text may be cut in front of `text[index]`; its two ends may always be cut."""
    if not 0 < index < len(text):
        return True
    before, after = text[index - 1], text[index]
    if _is_control(before) or _is_control(after):
        return before + after != "\r\n"
    joined = (
        _extends(after)
        or before == _ZWJ
        or before in _PREPENDED
        or _is_syllable(before, after)
        or _is_flag(text, index)
        or _is_conjunct(text, index)
    )
    return not joined


def _is_control(char: str) -> bool:
    if char in _PREPENDED or char in _EXTENDING:
        return False
    return unicodedata.category(char) in _CONTROLS


def _extends(char: str) -> bool:
    return char in _EXTENDING or unicodedata.category(char) in _MARKS


def _is_syllable(before: str, after: str) -> bool:
    """Two parts of one Korean syllable."""
    follower = _jamo(after)
    return follower != "" and follower in _FOLLOWERS.get(_jamo(before), "")


def _jamo(char: str) -> str:
    """L, V, T for a leading, middle, trailing part, S for a syllable."""
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "T"
    return "S" if "\uac00" <= char <= "\ud7a3" else ""


def _is_flag(text: str, index: int) -> bool:
    """Whether the cut falls between the two letters of a flag: they go in pairs."""
    first = index
    while first > 0 and _is_flag_letter(text[first - 1]):
        first -= 1
    return (index - first) % 2 == 1 and _is_flag_letter(text[index])


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_conjunct(text: str, index: int) -> bool:
    """Whether a virama, among other marks, ties the letter behind the cut to the one before."""
    if unicodedata.category(text[index]) != "Lo":
        return False
    for char in reversed(text[:index]):
        if unicodedata.combining(char) == _VIRAMA:
            return True
        if not _extends(char):
            return False
    return False
