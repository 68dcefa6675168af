"""Quotas: in no window are more tokens taken than there are, and what is free is given as soon as it is."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from governance.domain.quota_events import QuotaDefined
from governance.domain.quotas import Quota, Reservation, candidates, window_start

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

steps = st.lists(st.tuples(st.integers(-20, 90), st.integers(1, 4), st.booleans()), max_size=60)
windows = st.sampled_from(["fixed", "sliding"])


def taken_within(quota: Quota, begins: datetime, ends: datetime) -> int:
    return sum(each.tokens for each in quota.reservations if begins <= each.at < ends)


@given(steps=steps, limit=st.integers(1, 6), window=windows)
def test_no_window_ever_has_more_than_there_is(
    steps: list[tuple[int, int, bool]], limit: int, window: Literal["fixed", "sliding"]
) -> None:
    rule = QuotaDefined(limit=limit, per=MINUTE, window=window)
    quota, now = Quota(key="k"), START
    for number, (seconds, tokens, gives_back) in enumerate(steps):
        now += seconds * SECOND  # clocks step back, too
        if quota.free_at(rule, tokens, now) == now:
            new = Reservation(request_id=str(number), requirement_id="1.1", tokens=tokens, at=now)
            quota = quota.model_copy(update={"reservations": (*quota.reservations, new)})
        elif gives_back and quota.reservations:
            quota = quota.model_copy(update={"reservations": quota.reservations[1:]})
        for each in quota.reservations:
            if window == "fixed":
                begins = window_start(rule, each.at)
                assert taken_within(quota, begins, begins + MINUTE) <= limit
            else:
                assert taken_within(quota, each.at, each.at + MINUTE) <= limit


@given(steps=steps, limit=st.integers(1, 6), window=windows, tokens=st.integers(1, 8))
def test_tokens_are_free_when_it_says_and_not_before(
    steps: list[tuple[int, int, bool]], limit: int, window: Literal["fixed", "sliding"], tokens: int
) -> None:
    rule = QuotaDefined(limit=limit, per=MINUTE, window=window)
    taken = tuple(
        Reservation(request_id=str(number), requirement_id="1.1", tokens=amount, at=START + abs(seconds) * SECOND)
        for number, (seconds, amount, _) in enumerate(steps)
    )
    quota, now = Quota(key="k", reservations=taken), START + 90 * SECOND
    free_at = quota.free_at(rule, tokens, now)
    if tokens > limit:
        assert free_at is None
        return
    assert free_at is not None
    assert free_at >= now
    assert quota.free_at(rule, tokens, free_at) == free_at
    if free_at > now:
        before = free_at - timedelta(microseconds=1)
        assert quota.free_at(rule, tokens, before) == free_at


def test_fixed_windows_follow_each_other_from_1970_on() -> None:
    rule = QuotaDefined(limit=1, per=timedelta(days=1), window="fixed")
    assert window_start(rule, datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)) == datetime(2026, 3, 2, tzinfo=UTC)
    assert window_start(rule, EPOCH) == EPOCH


def test_definition_is_looked_for_from_the_closest_on() -> None:
    assert candidates("a:b:c") == ["a:b:c", "a:b:*", "a:*", "*"]
    assert candidates("a") == ["a", "*"]
    assert candidates("*") == ["*"]
    assert candidates("a:*") == ["a:*", "*"]
