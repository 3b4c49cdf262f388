"""Every text of the console has its Russian, with the same names in it.

To add what is missing to the catalogue: python -m tests.unit.dashboard.test_texts
"""

from __future__ import annotations

import ast
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

from dashboard import texts
from dashboard.texts import speak, t, tn

ROOT = Path(__file__).resolve().parents[3]
CONSOLE = ROOT / "dashboard"
CATALOGUE = texts.LOCALE / "ru.po"
ONE, TWO = ("t", "mark"), ("tn",)
_IN_TEMPLATE = re.compile(r"""(["'])((?:(?!\1).)+)\1\s*\|\s*tr\b""")

Text = str | tuple[str, str]


def used() -> dict[Text, str]:
    """Every text that the console can show, and the file that has it."""
    found: dict[Text, str] = {}
    for path in sorted(CONSOLE.rglob("*.py")):
        for each in _in_code(path):
            found.setdefault(each, path.name)
    for path in sorted((CONSOLE / "web" / "templates").glob("*.html")):
        for _, each in _IN_TEMPLATE.findall(path.read_text(encoding="utf-8")):
            found.setdefault(each, path.name)
    return found


def _in_code(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        said = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
        if node.func.id in ONE and said and isinstance(said[0], str):
            yield said[0]
        elif node.func.id in TWO and len(said) == 2:
            yield str(said[0]), str(said[1])


def catalogue() -> Catalog:
    if not CATALOGUE.exists():
        return Catalog(locale="ru", fuzzy=False)
    with CATALOGUE.open("rb") as source:
        return read_po(source, locale="ru")


def key_of(message: Message) -> Text:
    return message.id if isinstance(message.id, str) else (message.id[0], message.id[1])


def names_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def complete() -> None:
    """Write the catalogue anew: what is used, with the Russian that is there."""
    known = {key_of(message): message.string for message in catalogue() if message.id}
    fresh = Catalog(locale="ru", fuzzy=False, project="LEAP", version="1")
    for each in sorted(used(), key=str):
        fresh.add(each, known.get(each, ""))
    CATALOGUE.parent.mkdir(exist_ok=True)
    with CATALOGUE.open("wb") as out:
        write_po(out, fresh, omit_header=False, width=0, sort_output=True)
    missing = [message for message in fresh if message.id and not any(_forms(message))]
    sys.stdout.write(f"{len(fresh)} texts, {len(missing)} without Russian\n")


def _forms(message: Message) -> list[str]:
    said = message.string
    return [said] if isinstance(said, str) else list(said or ())


def test_every_text_has_its_russian() -> None:
    known = {key_of(message): message for message in catalogue() if message.id}
    missing = [f"{file}: {text}" for text, file in used().items() if text not in known]
    empty = [text for text, message in known.items() if not all(_forms(message))]
    assert not missing
    assert not empty


def test_no_russian_is_left_of_what_is_gone() -> None:
    assert {key_of(message) for message in catalogue() if message.id} <= set(used())


def test_both_name_the_same_values() -> None:
    for message in catalogue():
        if message.id:
            english = message.id if isinstance(message.id, str) else message.id[1]
            for form in _forms(message):
                assert names_in(form) == names_in(english), message.id


def test_a_text_and_a_number_are_said_in_the_language_of_the_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speak("ru")
    try:
        assert t("Recordings") == "Записи"
        said = [tn("{n} recording", "{n} recordings", n) for n in (1, 2, 5)]
        assert said == ["1 запись", "2 записи", "5 записей"]
    finally:
        speak("en")
    assert t("Recordings") == "Recordings"


if __name__ == "__main__":
    complete()
