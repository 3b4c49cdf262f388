"""What an update would change of a published video, told field by field."""

from __future__ import annotations

from leap_pipeline.domain.publication_diff import Change, Line, difference
from leap_pipeline.domain.shapes.results import Sent

THERE = Sent(
    title="Лекция 7",
    description="1. Введение\n2. Спуск\n3. Шаг\n4. Итоги\n\nКонец",
    tags=("ML", "AI"),
    settings={"privacyStatus": "private", "categoryId": "27", "embeddable": True},
)


def test_the_same_differs_in_nothing() -> None:
    assert difference(THERE, THERE.model_copy()) == ()
    assert difference(Sent(description="", title=None), Sent()) == ()


def test_each_field_that_differs_is_told_with_both_values() -> None:
    wanted = THERE.model_copy(
        update={
            "title": "Лекция 8",
            "tags": ("AI", "МО"),
            "thumbnail_name": "ml.png",
            "settings": {"privacyStatus": "public", "categoryId": "27", "publishAt": None},
        }
    )
    assert difference(THERE, wanted) == (
        Change("title", "Лекция 7", "Лекция 8"),
        Change("tags", ("ML", "AI"), ("AI", "МО"), added=("МО",), removed=("ML",)),
        Change("thumbnail_name", None, "ml.png"),
        Change("settings.embeddable", True, None),
        Change("settings.privacyStatus", "private", "public"),
    )


def test_tags_in_another_order_differ_by_no_tag() -> None:
    (found,) = difference(THERE, THERE.model_copy(update={"tags": ("AI", "ML")}))
    assert (found.field, found.added, found.removed) == ("tags", (), ())


def test_a_setting_that_is_false_is_said() -> None:
    off = THERE.model_copy(update={"settings": {**THERE.settings, "embeddable": False}})
    assert difference(THERE, off) == (Change("settings.embeddable", True, False),)


def test_of_a_long_text_the_lines_that_differ_are_told() -> None:
    wanted = THERE.model_copy(
        update={"description": "1. Введение\n2. Спуск\n3. Шаг\n4. Выводы\n\nКонец"}
    )
    (found,) = difference(THERE, wanted)
    assert found.lines == (
        Line(" ", "…"),
        Line(" ", "3. Шаг"),
        Line("-", "4. Итоги"),
        Line("+", "4. Выводы"),
        Line(" ", ""),
        Line(" ", "…"),
    )


def test_lines_that_stand_between_two_changes_are_told_once() -> None:
    two, one = Sent(description="a\nb\nc"), Sent(description="x\nb\ny")
    assert [each.sign + each.text for each in difference(two, one)[0].lines] == [
        "-a", "+x", " b", "-c", "+y",
    ]  # fmt: skip
    gone = difference(two, Sent())[0]
    assert (gone.after, [each.sign for each in gone.lines]) == (None, ["-", "-", "-", "+"])
