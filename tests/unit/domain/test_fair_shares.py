"""Fair shares of slots: nobody is passed over, nobody is over the limit, no slot lies idle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.fair_shares import Claimant, fair_shares

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENTS = st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
CROWDS = st.lists(
    st.builds(
        Claimant,
        user_id=st.integers(0, 99).map(str),
        running=st.integers(0, 4),
        queued=st.integers(0, 6),
        limit=st.none() | st.integers(0, 5),
        waits_since=MOMENTS,
        last_served=MOMENTS,
    ),
    max_size=8,
    unique_by=lambda claimant: claimant.user_id,
)
FREE = st.integers(-2, 20)


def waits(claimant: Claimant, given: int) -> bool:
    """Still wants a slot and may have one."""
    allowed = claimant.limit is None or claimant.running + given < claimant.limit
    return given < claimant.queued and allowed


@given(CROWDS, FREE)
def test_nobody_gets_more_than_is_queued_or_allowed_and_no_more_is_given_than_free(
    crowd: list[Claimant], free: int
) -> None:
    shares = fair_shares(crowd, free)
    assert set(shares) == {each.user_id for each in crowd}
    assert sum(shares.values()) <= max(free, 0)
    for each in crowd:
        given = shares[each.user_id]
        assert 0 <= given <= each.queued
        if given and each.limit is not None:
            assert each.running + given <= each.limit


@given(CROWDS, FREE)
def test_no_slot_lies_idle_while_somebody_may_have_it(crowd: list[Claimant], free: int) -> None:
    shares = fair_shares(crowd, free)
    if any(waits(each, shares[each.user_id]) for each in crowd):
        assert sum(shares.values()) == max(free, 0)


@given(CROWDS, FREE)
def test_nobody_gets_another_slot_while_one_with_fewer_waits(
    crowd: list[Claimant], free: int
) -> None:
    """Max-min fair: to give to one who waits, one would have to take from somebody with less."""
    shares = fair_shares(crowd, free)
    for poor in crowd:
        if not waits(poor, shares[poor.user_id]):
            continue
        holds = poor.running + shares[poor.user_id]
        for rich in crowd:
            if rich is not poor and shares[rich.user_id]:
                assert rich.running + shares[rich.user_id] <= holds + 1


@given(CROWDS, FREE)
def test_the_order_in_which_users_are_told_of_does_not_matter(
    crowd: list[Claimant], free: int
) -> None:
    assert fair_shares(crowd, free) == fair_shares(reversed(crowd), free)


@given(CROWDS, st.integers(0, 20))
def test_one_more_free_slot_takes_nothing_away(crowd: list[Claimant], free: int) -> None:
    fewer, more = fair_shares(crowd, free), fair_shares(crowd, free + 1)
    assert all(more[user] >= fewer[user] for user in fewer)


def test_the_last_slot_goes_to_whoever_holds_none() -> None:
    busy = Claimant("busy", running=1, queued=1000, limit=5, waits_since=NOON)
    single = Claimant("single", running=0, queued=1, limit=1, waits_since=NOON + timedelta(hours=9))
    assert fair_shares([busy, single], 1) == {"busy": 0, "single": 1}
    assert fair_shares([busy, single], 3) == {"busy": 2, "single": 1}


def test_among_equals_the_one_served_longest_ago_comes_first() -> None:
    recent = Claimant("a", 0, 5, 1, waits_since=NOON, last_served=NOON + timedelta(hours=1))
    longest = Claimant("b", 0, 5, 1, waits_since=NOON, last_served=NOON)
    never = Claimant("c", 0, 5, 1, waits_since=NOON + timedelta(hours=2))
    assert fair_shares([recent, longest, never], 1) == {"a": 0, "b": 0, "c": 1}
    assert fair_shares([recent, longest, never], 2) == {"a": 0, "b": 1, "c": 1}


def test_over_the_limit_already_is_no_trouble() -> None:
    assert fair_shares([Claimant("a", running=4, queued=3, limit=1)], 5) == {"a": 0}
