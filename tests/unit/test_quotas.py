"""Quotas: in no window are more tokens taken than there are, and what is free is given as soon as it is."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from hypothesis import strategies as st

from governance.domain.actors import SYSTEM
from governance.domain.errors import UnknownEventError, UnreadableEventError
from governance.domain.quota_events import QuotaDefined, TokensReleased, TokensReserved
from governance.domain.quotas import Quota, Reservation, candidates, quota_after, window_start
from governance.domain.recorded import Recorded
from governance.event_store.log import EventLog
from governance.event_store.mapper import EnvelopeMapper
from governance.quotas.keeping import Quotas
from governance.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
MAPPER = EnvelopeMapper(None)  # type: ignore[arg-type]

steps = st.lists(st.tuples(st.integers(-20, 90), st.integers(1, 4), st.booleans()), max_size=60)
windows = st.sampled_from(["fixed", "sliding"])


def taken_within(quota: Quota, begins: datetime, ends: datetime) -> int:
    return sum(each.tokens for each in quota.reservations if begins <= each.at < ends)


def made(steps: list[tuple[int, int, bool]]) -> tuple[Reservation, ...]:
    return tuple(
        Reservation(request_id=str(number), requirement_id="1.1", tokens=amount, at=START + abs(seconds) * SECOND)
        for number, (seconds, amount, _) in enumerate(steps)
    )


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
    quota, now = Quota(key="k", reservations=made(steps)), START + 90 * SECOND
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


@given(steps=steps, limit=st.integers(1, 6), window=windows, tokens=st.integers(1, 6), older=st.integers(-90, 4_000))
def test_what_was_forgotten_changes_no_answer(
    steps: list[tuple[int, int, bool]], limit: int, window: Literal["fixed", "sliding"], tokens: int, older: int
) -> None:
    rule = QuotaDefined(limit=limit, per=MINUTE, window=window)
    quota, now = Quota(key="k", reservations=made(steps)), START + 90 * SECOND
    short = quota.forgetting(now - older * SECOND)
    if short.knows(rule, now):
        assert short.taken(rule, now) == quota.taken(rule, now)
        assert short.free_at(rule, tokens, now) == quota.free_at(rule, tokens, now)
    else:
        assert len(short.reservations) < len(quota.reservations)


class Pages:
    """The log of one quota, and how many events were read from it."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.stored: list[StoredEvent] = []
        self.read = self.decodings = 0

    def add(self, event: Any, at: datetime) -> None:
        version = len(self.recorded) + 1
        made = Recorded(stream="quota-k", version=version, at=at, by=SYSTEM, append_id="a", event=event)
        self.recorded.append(made)
        self.stored.append(MAPPER.to_stored_event(made))

    def stored_stream(self, stream: str, *, after: int, upto: int) -> Sequence[StoredEvent]:
        found = self.stored[after:upto] if stream == "quota-k" else []
        self.read += len(found)
        return found

    def decoded(self, stored: StoredEvent) -> Recorded:
        self.decodings += 1
        return cast(Recorded, MAPPER.to_domain_event(stored))


changes = st.lists(
    st.tuples(
        st.sampled_from(["take", "take", "take", "give back", "define", "ask", "ask"]),
        st.integers(-100, 200),
        st.integers(1, 4),
        st.sampled_from([MINUTE, 2 * MINUTE, 10 * MINUTE]),
        windows,
    ),
    max_size=60,
)


@given(changes=changes)
def test_kept_quota_answers_as_the_whole_log_does_whatever_clocks_and_definitions_do(
    changes: list[tuple[str, int, int, timedelta, Literal["fixed", "sliding"]]],
) -> None:
    now, log = START, Pages()
    quotas = Quotas(cast(EventLog, log), lambda: now, Settings(), lambda: ["k"])
    log.add(QuotaDefined(limit=4, per=MINUTE, window="sliding"), now)
    for number, (what, seconds, tokens, per, window) in enumerate(changes):
        now += seconds * SECOND
        if what == "take":
            log.add(TokensReserved(request_id=str(number), requirement_id="1.1", tokens=tokens), now)
        elif what == "give back":
            log.add(TokensReleased(request_id=str(number - tokens), requirement_id="1.1", tokens=1), now)
        elif what == "define":
            log.add(QuotaDefined(limit=tokens, per=per, window=window), now)
        else:
            asked = now - seconds * SECOND  # what is asked about is not always now
            whole, rule = quota_after(Quota(key="k"), log.recorded), quotas.rule("k")
            assert rule == whole.defined
            current, _ = quotas.current("k", asked)
            assert current.taken(rule, asked) == whole.taken(rule, asked)
            assert current.free_at(rule, tokens, asked) == whole.free_at(rule, tokens, asked)


def test_old_reservations_are_neither_kept_nor_read_again() -> None:
    now, log = START, Pages()
    quotas = Quotas(cast(EventLog, log), lambda: now, Settings(), lambda: ["k"])
    log.add(QuotaDefined(limit=9, per=MINUTE, window="sliding"), now)
    for number in range(2_500):
        now += MINUTE
        log.add(TokensReserved(request_id=str(number), requirement_id="1.1", tokens=1), now)
    assert len(quotas.current("k", now)[0].reservations) <= 3
    assert (quotas.get("k").taken, log.read) == (1, len(log.recorded))
    log.add(QuotaDefined(limit=9, per=60 * MINUTE, window="sliding"), now)
    assert quotas.get("k").taken == 60
    log.read = 0
    assert (quotas.get("k").taken, log.read) == (60, 0)


def test_whoever_begins_decodes_only_what_can_still_count() -> None:
    log = Pages()
    log.add(QuotaDefined(limit=9, per=MINUTE, window="sliding"), START)
    for number in range(1, 3_000):
        log.add(TokensReserved(request_id=str(number), requirement_id="1.1", tokens=1), START + number * SECOND)
    log.add(TokensReleased(request_id="2999", requirement_id="1.1", tokens=1), START + 3_000 * SECOND)
    quotas = Quotas(cast(EventLog, log), lambda: START + 3_000 * SECOND, Settings(), lambda: ["k"])
    assert (quotas.get("k").taken, quotas.look("k").version) == (58, 3_001)
    assert log.decodings < 1_200, "the first page, and the last two minutes"


@pytest.mark.parametrize(
    "damage", [b"[]", b"{", b'{"v":1}', b'{"v":1,"at":"2000-01-01"}', b'{"v":9,"at":"2000-01-01T00:00:00Z"}']
)
def test_old_reservation_that_cannot_be_glanced_at_is_read_like_any_other(damage: bytes) -> None:
    log = Pages()
    log.add(QuotaDefined(limit=9, per=MINUTE, window="sliding"), START)
    for number in range(1_500):
        log.add(TokensReserved(request_id=str(number), requirement_id="1.1", tokens=1), START)
    log.stored[-1] = dataclasses.replace(log.stored[-1], state=damage)
    quotas = Quotas(cast(EventLog, log), lambda: START + 9 * MINUTE, Settings(), lambda: ["k"])
    with pytest.raises((UnreadableEventError, UnknownEventError)):
        quotas.look("k")


def test_fixed_windows_follow_each_other_from_1970_on() -> None:
    rule = QuotaDefined(limit=1, per=timedelta(days=1), window="fixed")
    assert window_start(rule, datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)) == datetime(2026, 3, 2, tzinfo=UTC)
    assert window_start(rule, EPOCH) == EPOCH


def test_definition_is_looked_for_from_the_closest_on() -> None:
    assert candidates("a:b:c") == ["a:b:c", "a:b:*", "a:*", "*"]
    assert candidates("a") == ["a", "*"]
    assert candidates("*") == ["*"]
    assert candidates("a:*") == ["a:*", "*"]
