"""A recording's name and its own settings, as people change them."""

from __future__ import annotations

from typing import Any

import pytest

from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.layers import OriginKind
from leap_pipeline.errors import InputError, StaleChange
from leap_pipeline.services.audit import Actor, AuditFilter, entries
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.recording_edits import (
    inherited,
    load_overrides,
    rename,
    save_overrides,
)
from tests.support.bench import Bench, make_bench

ADA = Actor(None, "ada@example.org")


def save(bench: Bench, number: int, document: Any, seen: Any = None) -> None:
    with bench.database.tenant(bench.user_id) as session:
        save_overrides(session, number, document, seen=seen or {}, actor=ADA)


def stored(bench: Bench, number: int) -> Any:
    return bench.row(number).processing_preferences


def test_a_name_is_cleaned_kept_and_told(bench: Bench) -> None:
    number = bench.recording(display_name="Before")
    with bench.database.tenant(bench.user_id) as session:
        assert rename(session, number, "  Light\u202e and\nleaves ", actor=ADA) == (
            "Light and leaves"
        )
        with pytest.raises(InputError, match="needs a name"):
            rename(session, number, " \t", actor=ADA)
        with pytest.raises(InputError, match="has 501 characters"):
            rename(session, number, "x" * 501, actor=ADA)
    assert bench.row(number).display_name == "Light and leaves"
    with bench.database.system() as session:
        (told,) = entries(session, AuditFilter(owner_id=bench.user_id, action="recording.rename"))
    assert (told.before, told.after) == ({"name": "Before"}, {"name": "Light and leaves"})


def test_own_settings_stand_over_the_template_until_they_are_taken_back(bench: Bench) -> None:
    template = bench.template({"transcription": {"language": "ru"}})
    number = bench.recording(template_id=template)
    own = {"transcription": {"language": "en"}, "metadata_config": {"youtube": {"tags": ["x"]}}}
    save(bench, number, {**own, "video": {"padding": None}})
    assert stored(bench, number) == own
    with bench.database.tenant(bench.user_id) as session:
        found = load_configuration(session, number)
        assert found.processing().origins["transcription.language"].kind is OriginKind.RECORDING
        below = inherited(found).processing()
        assert below.value.transcription.language == "ru"
        assert load_overrides(session, number).document == own
    with pytest.raises(StaleChange, match="Somebody else"):
        save(bench, number, {}, seen={})
    save(bench, number, {}, seen=own)
    assert stored(bench, number) is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"video": {"padding": "1"}}, "`processing_preferences.video.padding` must be a number"),
        ({"vidoe": {}}, "did you mean `video`"),
        ({"output_config": {"preset_ids": [2147483647]}}, "but there is no such preset"),
        (
            {"metadata_config": {"title_template": "{nonsense}"}},
            "metadata_config.title_template",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(bench: Bench, document: Any, said: str) -> None:
    number = bench.recording()
    with pytest.raises(InputError, match=said):
        save(bench, number, document)
    assert stored(bench, number) is None


def test_what_does_not_go_together_is_refused_but_no_older_fault(bench: Bench) -> None:
    template = bench.template(
        {"transcription": {"language": "not a language"}},
        metadata_config={"youtube": {"privacy": "public"}},
    )
    number = bench.recording(template_id=template)
    waiting = {"metadata_config": {"youtube": {"publish_at": "2030-01-01T00:00:00Z"}}}
    with pytest.raises(InputError, match="does not go with the other settings"):
        save(bench, number, waiting)
    # The template's own fault keeps nobody from setting something else.
    save(bench, number, {"video": {"padding": 1.0}})
    assert stored(bench, number) == {"video": {"padding": 1.0}}


def test_another_tenants_preset_is_not_there(bench: Bench) -> None:
    other = make_bench(bench.database, bench.storage.root, "other@example.org")
    with bench.database.system() as session:
        account = UserCredential(
            user_id=other.user_id, platform="youtube", account_name="a", encrypted_data="x"
        )
        session.add(account)
        session.flush()
        preset = OutputPreset(
            user_id=other.user_id, name="p", platform="YOUTUBE", credential_id=account.id
        )
        session.add(preset)
        session.flush()
        theirs = preset.id
    number = bench.recording()
    with pytest.raises(InputError, match=f"names {theirs}, but there is no such preset"):
        save(bench, number, {"output_config": {"preset_ids": [theirs]}})
