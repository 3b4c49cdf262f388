"""Accounts of tenants: none has anybody else's video, and none holds another up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leap_pipeline.errors import DataError, MustWaitError, NotFound, UserActionError
from leap_pipeline.publishing.uploader import Video
from leap_pipeline.publishing.vk.publisher import VkPublisher
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.users import add_user
from tests.support.studio import PERSON, V
from tests.support.studio_fakes import Fakes


def test_somebody_elses_public_video_is_no_video_of_the_account(fakes: Fakes) -> None:
    fakes.publish(V)
    there = fakes.video(V)
    there.settings["privacy_view"] = ["all"]
    stranger = fakes.vk.world.add_person("Alan", "Turing")
    other = fakes.studio.account(V, fakes.vk.world.grant(stranger).value, "another")
    user, mine = fakes.studio.bench.user_id, fakes.studio.credentials[V]
    with fakes.studio.accounts() as accounts:
        assert accounts.known_video(user, mine, V, there.name).video_id == str(there.id)
        with pytest.raises(NotFound, match="The VK account has no video"):
            accounts.known_video(user, other, V, there.name)


def test_an_account_that_cannot_see_a_video_does_not_take_it_for_deleted(fakes: Fakes) -> None:
    fakes.publish(V)
    there = fakes.video(V)
    stranger = fakes.vk.world.add_person("Alan", "Turing")
    other = fakes.studio.account(V, fakes.vk.world.grant(stranger).value, "another")
    video = Video(str(there.id), there.name, there.owner_id)
    user, mine = fakes.studio.bench.user_id, fakes.studio.credentials[V]
    with fakes.studio.accounts() as accounts:
        with pytest.raises((UserActionError, DataError)):
            accounts.publisher(user, other, V).retract(video)
        assert fakes.video(V) is there
        for _ in range(2):  # one that is gone already is no error
            accounts.publisher(user, mine, V).retract(video)
    assert fakes.videos(V) == []


def test_no_tenant_holds_another_up_by_naming_its_account(fakes: Fakes) -> None:
    studio, database = fakes.studio, fakes.studio.database
    with database.system() as session:
        other = add_user(session, "bob@example.org").id

    def publisher(user_id: str) -> VkPublisher:
        document = {"access_token": fakes.token(V), "user_id": str(fakes.person.id)}
        with database.tenant(user_id) as session:
            store = Credentials(session, user_id, studio.vault)
            number = store.create("vk", document, PERSON, account_name="Ada").id
        made = studio.accounts().publisher(user_id, number, V)
        assert isinstance(made, VkPublisher)
        return made

    mine, theirs = publisher(studio.bench.user_id), publisher(other)
    theirs._client._gate.block(fakes.clock() + timedelta(hours=6))
    with pytest.raises(MustWaitError):
        theirs._client.user_id()
    assert mine._client.user_id() == fakes.person.id
