"""Requests of ten thousand events, states of many versions: nothing that is kept is read twice, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from governance import Governance, Status, approval
from governance.domain.evolution import evolve, replay
from governance.domain.snapshot import LAST_LINES
from governance.snapshots import SHORT
from governance.streams import request_stream, state_stream
from tests.cases import ALAN, GRACE, MUTATIONS, WORKER, Add, Counter

EVENTS = 10_000
AT_ONCE = 1_000


def lengthened(gov: Governance, stream: str, upto: int) -> None:
    """Repeat the last event of a stream up to a version."""
    recorder = gov.log.event_recorder
    [last] = recorder.select_events(stream, desc=True, limit=1)
    for start in range(last.originator_version + 1, upto + 1, AT_ONCE):
        recorder.insert_events([
            StoredEvent(stream, version, last.topic, last.state)
            for version in range(start, min(start + AT_ONCE, upto + 1))
        ])  # fmt: skip


@pytest.fixture
def long_request(store_url: str) -> str:
    """Give the id of a pending request about which ten thousand things were said."""
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        asked = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", requires=(approval(role="lead"),))
        gov.comment(asked.id, actor=GRACE, text="still waiting")
        lengthened(gov, request_stream(asked.id), EVENTS)
    return asked.id


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        yield governance


def rows_read(gov: Governance, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each later reading of a stream adds how many events it has read."""
    select, rows = gov.log.event_recorder.select_events, list[int]()

    def counted(*given: Any, **named: Any) -> Any:
        found = select(*given, **named)
        rows.append(len(found))
        return found

    monkeypatch.setattr(gov.log.event_recorder, "select_events", counted)
    return rows


def test_long_request_is_read_once_and_then_only_what_is_new(
    long_request: str, gov: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_read(gov, monkeypatch)
    request = gov.request(long_request)
    assert (request.version, len(request.decisions), rows) == (EVENTS, EVENTS, [SHORT, EVENTS])
    rows.clear()
    assert gov.request(long_request) == request
    gov.comment(long_request, actor=GRACE, text="and now?")
    gov.approve(long_request, actor=ALAN)
    assert gov.execute(long_request, actor=WORKER).executed
    assert sum(rows) <= 2
    told = gov.request(long_request)
    assert (told.status, len(told.decisions)) == (Status.EXECUTED, told.version)


def test_long_request_that_somebody_has_looked_at_before_is_not_read_again(
    long_request: str, gov: Governance, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = gov.request(long_request)
    with Governance.open(store_url, mutations=MUTATIONS) as other:
        rows = rows_read(other, monkeypatch)
        request = other.request(long_request)
        assert (request.version, len(request.decisions), request.decisions[-1].version) == (EVENTS, EVENTS, EVENTS)
        assert rows == [SHORT, 1]
        assert request == told
        assert rows == [SHORT, 1, EVENTS - LAST_LINES]


def test_what_others_add_to_a_long_request_is_all_that_is_read(
    long_request: str, gov: Governance, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = gov.request(long_request)
    with Governance.open(store_url, mutations=MUTATIONS) as other:
        other.comment(long_request, actor=ALAN, text="seen")
    rows = rows_read(gov, monkeypatch)
    after = gov.request(long_request)
    assert (after.version, rows) == (before.version + 1, [1])
    assert after == replay(gov.history(long_request))


def test_folding_at_once_and_one_by_one_come_to_the_same(long_request: str, gov: Governance) -> None:
    history = gov.history(long_request)[:500]
    request = None
    for each in history:
        request = evolve(request, each)
    assert request == replay(history)
    assert replay(history[300:], replay(history[:300])) == request
    assert replay([], request) is request
    assert replay([]) is None


def test_latest_version_of_a_long_state_is_one_row(gov: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    lengthened(gov, state_stream("c"), EVENTS)
    rows = rows_read(gov, monkeypatch)
    assert (gov.state("c").version, gov.state("c", version=17).version) == (EVENTS, 17)
    assert gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r").resulting_version == EVENTS + 1
    assert gov.state("c").value == Counter(value=2)
    assert sum(rows) <= 5
