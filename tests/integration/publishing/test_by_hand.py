"""What a person does about a published video: by the account that has it, in one's own scope."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.errors import InputError, NotFound, UserActionError
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.holds import hold
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.published_by_hand import Desk, publish, retract_video, settle_upload
from leap_pipeline.services.users import add_user
from tests.support.studio import V
from tests.support.studio_fakes import Fakes

EVERYTHING = Rights()


@dataclass(frozen=True)
class DeskThere(Desk):
    """Speaks with the fakes."""

    fakes: Fakes

    def accounts(self) -> PlatformAccounts:
        return self.fakes.studio.accounts()


def desk(fakes: Fakes) -> Desk:
    studio = fakes.studio
    return DeskThere(studio.database, studio.vault, studio.settings, fakes)


def editor(*without: Permission) -> Editor:
    return Editor(SYSTEM, Rights(permissions=EVERYTHING.permissions - set(without)))


def retract(fakes: Fakes, who: Editor, user_id: str | None = None) -> None:
    studio = fakes.studio
    owner = user_id or studio.bench.user_id
    retract_video(desk(fakes), owner, studio.recording, V, who, "a mistake")


def doubt(fakes: Fakes) -> str:
    """A video that is there, of which nobody knows; its address."""
    fakes.publish(V)
    found: str = fakes.video(V).name
    with fakes.studio.database.system() as session:
        hold(
            session,
            fakes.studio.recording,
            HoldKind.DOUBTFUL_UPLOAD,
            "nobody knows",
            platform=V,
            actor=SYSTEM,
        )
    return found


def settle(fakes: Fakes, named: str, who: Editor) -> str | None:
    studio = fakes.studio
    video = settle_upload(desk(fakes), studio.bench.user_id, studio.recording, V, named, who)
    return video.video_id if video is not None else None


def stranger(fakes: Fakes) -> int:
    """Another account at the platform."""
    person = fakes.vk.world.add_person("Alan", "Turing")
    return fakes.studio.account(V, fakes.vk.world.grant(person).value, "another")


def test_a_video_is_deleted_by_the_account_that_sent_it(fakes: Fakes) -> None:
    fakes.publish(V)
    fakes.studio.use(V, stranger(fakes))  # the preset has another one by now
    retract(fakes, editor())
    assert fakes.videos(V) == []
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[V] == "NOT_UPLOADED"
    assert fakes.studio.upload(V) is None
    with pytest.raises(UserActionError, match="is not published on VK"):
        retract(fakes, editor())


def test_who_may_not_asks_no_platform(fakes: Fakes) -> None:
    named = doubt(fakes)
    before = fakes.requests(V)
    with pytest.raises(UserActionError, match="may not change videos that are already published"):
        retract(fakes, editor(Permission.UPDATE_UPLOADED_VIDEOS))
    with pytest.raises(UserActionError, match="may not publish"):
        settle(fakes, named, editor(Permission.UPLOAD))
    with (
        fakes.studio.database.system() as session,
        pytest.raises(UserActionError, match="may not publish"),
    ):
        publish(session, fakes.studio.recording, editor(Permission.UPLOAD))
    assert fakes.requests(V) == before
    assert fakes.studio.is_held(V) is not None


def test_nobody_reaches_another_tenants_video(fakes: Fakes) -> None:
    named = doubt(fakes)
    with fakes.studio.database.system() as session:
        bob = add_user(session, "bob@example.org").id
    before = fakes.requests(V)
    with pytest.raises(UserActionError, match="has no preset with a VK account"):
        retract(fakes, editor(), bob)
    for said in (named, None):
        with pytest.raises(UserActionError):
            settle_upload(desk(fakes), bob, fakes.studio.recording, V, said, editor())
    assert fakes.requests(V) == before
    assert len(fakes.videos(V)) == 1
    assert fakes.studio.is_held(V) is not None


def test_a_doubt_is_settled_with_a_video_of_the_presets_own_account(fakes: Fakes) -> None:
    named = doubt(fakes)
    owner, _, number = named.rpartition("_")
    for wrong, refusal in (("my lecture", InputError), (f"{owner}_{int(number) + 1}", NotFound)):
        with pytest.raises(refusal):
            settle(fakes, wrong, editor())
    mine = fakes.studio.credentials[V]
    fakes.studio.use(V, stranger(fakes))
    with pytest.raises(NotFound, match="The VK account has no video"):
        settle(fakes, named, editor())
    assert fakes.studio.is_held(V) is not None
    fakes.studio.use(V, mine)
    assert settle(fakes, named, editor()) == number
    assert fakes.studio.is_held(V) is None
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[V] == "UPLOADED"
