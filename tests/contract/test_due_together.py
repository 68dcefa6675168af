"""What is due at one moment is read at once and worked on side by side, and nobody's word is older than the store's."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from governance import Governance, quota, schedule
from governance.domain.lifecycle import Status
from governance.event_store.recorder import EventRecorder
from governance.prefetching import MOST_EVENTS
from governance.streams import request_stream
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, ROOT, START, Add
from tests.clocks import Clock

SECOND = timedelta(seconds=1)
MANY = 20


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


@pytest.fixture
def other(store_url: str, clock: Clock) -> Iterator[Governance]:
    """Give the same store as another process sees it."""
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def asked(gov: Governance, number: int = MANY, **others: Any) -> list[str]:
    """Return the ids of requests that are due in an hour, each about a state of its own."""
    wait = schedule(not_before=START + HOUR)
    return [
        gov.submit(Add(amount=1), state_id=f"c{each}", actor=GRACE, reason="r", requires=[wait], **others).id
        for each in range(number)
    ]


def select_counted(recorder: EventRecorder, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which the name of each stream is added that is read by itself."""
    select, read = recorder.select_events, list[str]()

    def counted(originator_id: Any, **named: Any) -> Any:
        read.append(str(originator_id))
        return select(originator_id, **named)

    monkeypatch.setattr(recorder, "select_events", counted)
    return read


def test_due_requests_and_their_states_are_read_at_once(
    gov: Governance, other: Governance, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = asked(gov)
    clock.pass_time(HOUR)
    read = select_counted(other.log.event_recorder, monkeypatch)
    assert other.run_due().count("executed") == MANY
    assert not [each for each in read if each.startswith(("request-", "state-"))]
    assert {gov.request(each).status for each in requests} == {Status.EXECUTED}


def test_what_is_damaged_keeps_none_of_the_others_from_its_turn(
    gov: Governance, other: Governance, clock: Clock
) -> None:
    requests = asked(gov)
    damaged = gov.submit(
        Add(amount=1), state_id="d", actor=GRACE, reason="r", requires=[schedule(not_before=START + HOUR)]
    )
    stream = request_stream(damaged.id)
    gov.log.event_recorder.insert_events([StoredEvent(stream, damaged.version + 1, "Commented", b"{}")])
    clock.pass_time(HOUR)
    report = other.run_due()
    assert report.count("executed") == MANY
    assert {each.item.request_id for each in report.failures} == {damaged.id}
    assert {gov.request(each).status for each in requests} == {Status.EXECUTED}


def test_request_of_many_events_is_released_like_any_other(gov: Governance, other: Governance, clock: Clock) -> None:
    requests = asked(gov, 3)
    for number in range(MOST_EVENTS):
        gov.comment(requests[1], actor=ALAN, text=f"still waiting {number}")
    clock.pass_time(HOUR)
    assert other.run_due().count("executed") == 3


def test_what_is_in_memory_may_be_behind_the_store(gov: Governance, other: Governance, clock: Clock) -> None:
    requests = asked(gov, 3)
    assert [other.request(each).version for each in requests]  # another process knows them now
    gov.comment(requests[0], actor=ALAN, text="soon")
    gov.cancel(requests[1], actor=GRACE)
    clock.pass_time(HOUR)
    other.run_due()
    found = [gov.request(each).status for each in requests]
    assert found == [Status.EXECUTED, Status.CANCELED, Status.EXECUTED]


def test_freeze_that_another_process_has_just_lifted_holds_nothing(
    gov: Governance, other: Governance, clock: Clock
) -> None:
    [request] = asked(gov, 1)
    frozen = gov.calendars.freeze("all", ends=None, reason="audit", actor=ROOT)
    clock.pass_time(HOUR)
    assert gov.run_due().count("waits") == 1
    other.calendars.lift("all", frozen.freezes[0].id, actor=ROOT)
    assert gov.run_due().count("executed") == 1
    assert gov.request(request).status is Status.EXECUTED


def test_requests_that_wait_for_time_alone_may_be_done_in_any_order_those_for_tokens_not(
    gov: Governance, clock: Clock
) -> None:
    gov.quotas.define("q", limit=5, per=HOUR, actor=ROOT)
    asked(gov, 3)
    for number in range(3):
        gov.submit(Add(amount=1), state_id=f"q{number}", actor=GRACE, reason="r", requires=[quota("q")])
    clock.pass_time(HOUR)
    schedules, quotas = (
        next(each for each in gov.engines if each.name == name).due(clock.now, 10) for name in ("schedule", "quota")
    )
    assert [each.group for each in schedules] == [None] * 3
    assert [each.group for each in quotas] == [quotas[0].group] * 3
    assert quotas[0].group is not None


def test_forked_process_does_what_is_due_over_connections_of_its_own(gov: Governance, clock: Clock) -> None:
    requests = asked(gov, 4)
    assert gov.run_due().performed == ()  # so that there are connections to inherit
    clock.pass_time(HOUR)
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            done = gov.run_due(limit=2).performed
            status = 0 if [each.what for each in done] == ["released"] * 2 else 2
        os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == 0
    assert gov.run_due().failures == ()
    assert {gov.request(each).status for each in requests} == {Status.EXECUTED}
