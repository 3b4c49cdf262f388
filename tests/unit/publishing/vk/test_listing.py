"""What VK is told of a video, from texts and a preset's settings."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.publishing_text import Publication
from leap_pipeline.domain.shapes.publishing import VkMetadata
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.errors import InputError
from leap_pipeline.publishing.vk.listing import edit_form, listing, notes, save_form

TEXTS = Publication("Графы", "Деревья", ("math",), ())


@pytest.mark.parametrize(("number", "word"), [(0, "all"), (1, "friends"), (2, "only_me")])
def test_audiences_are_said_in_vks_words(number: int, word: str) -> None:
    sent = listing(TEXTS, VkMetadata(privacy_view=number, privacy_comment=number))
    assert sent.settings["privacy_view"] == sent.settings["privacy_comment"] == [word]


def test_nothing_said_shows_a_video_to_nobody_else() -> None:
    assert save_form(listing(TEXTS, VkMetadata())) == {
        "name": "Графы",
        "description": "Деревья",
        "no_comments": "0",
        "repeat": "0",
        "wallpost": "0",
        "privacy_view": "only_me",
        "privacy_comment": "all",
    }


def test_a_communitys_video_has_no_privacy_and_its_owner_is_told_so() -> None:
    settings = VkMetadata(group_id=200100, wallpost=True, repeat=True, disable_comments=True)
    assert save_form(listing(TEXTS, settings)) == {
        "name": "Графы",
        "description": "Деревья",
        "group_id": "200100",
        "no_comments": "1",
        "repeat": "1",
        "wallpost": "1",
    }
    assert len(notes(settings)) == 1
    assert notes(VkMetadata(group_id=200100, privacy_view=0)) == notes(VkMetadata()) == ()


def test_comments_that_are_off_are_off_for_ones_own_videos_too() -> None:
    sent = listing(TEXTS, VkMetadata(disable_comments=True, privacy_comment=0))
    assert save_form(sent)["privacy_comment"] == "only_me"


def test_what_is_edited_leaves_the_community_and_the_wall_alone() -> None:
    form = edit_form(listing(TEXTS, VkMetadata(group_id=200100, wallpost=True)))
    assert form == {"name": "Графы", "desc": "Деревья", "no_comments": "0", "repeat": "0"}


def test_what_is_sent_is_read_from_storage_as_it_was() -> None:
    sent = listing(TEXTS, VkMetadata())
    assert Sent.model_validate_json(sent.model_dump_json()) == sent
    assert sent.tags == ()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (Sent(title="a" * 129), "129 characters, VK takes 128"),
        (Sent(title="a", description="b" * 5001), "5001 characters, VK takes 5000"),
        (Sent(title=" "), "needs a title"),
        (Sent(), "needs a title"),
    ],
)
def test_texts_over_the_limits_are_refused(sent: Sent, words: str) -> None:
    for form in (save_form, edit_form):
        with pytest.raises(InputError, match=words):
            form(sent)
