"""A store that somebody else has written to: what is wrong is named, nothing is imported, and nothing runs on it."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

from governance import (
    DigestMismatchError,
    Governance,
    GovernanceError,
    Status,
    UnknownEventError,
    UnreadableEventError,
    approval,
)
from governance.domain.events import Approved, Event, QuorumReached
from governance.domain.recorded import Recorded
from governance.event_store.mapper import EnvelopeMapper
from tests.cases import ALAN, EDSGER, GRACE, MUTATIONS, ROOT, START, WORKER, Add, GrantAdmin
from tests.stored import sample

pytestmark = pytest.mark.as_application


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        yield gov


@pytest.fixture
def other(store_url: str, gov: Governance) -> Iterator[Governance]:
    """Another program, which has nothing in memory."""
    with Governance.open(store_url, mutations=MUTATIONS) as other:
        yield other


def forge(gov: Governance, stream: str, version: int, topic: str, state: bytes) -> None:
    """Write a row behind the back of the product."""
    event = StoredEvent(originator_id=stream, originator_version=version, topic=topic, state=state)
    gov.log.event_recorder.insert_events([event])


def forge_event(gov: Governance, stream: str, version: int, event: Event) -> None:
    """Write an event behind the back of the product."""
    place = Recorded(stream=stream, version=version, at=START, by=ROOT, append_id="forged", event=event)
    stored = EnvelopeMapper(None).to_stored_event(place)  # type: ignore[arg-type]
    forge(gov, stream, version, stored.topic, stored.state)


def waiting(gov: Governance) -> str:
    """Return the id of a request with three events, which waits for two leads."""
    request = gov.submit(
        GrantAdmin(user="ada"), state_id="s", actor=GRACE, reason="r", requires=[approval(role="lead", quorum=2)]
    )
    assert request.version == 3
    return request.id


def calls(gov: Governance, request_id: str) -> list[Callable[[], Any]]:
    """Return everything that reads a request."""
    return [
        lambda: gov.request(request_id),
        lambda: gov.history(request_id),
        lambda: gov.approve(request_id, actor=ALAN),
        lambda: gov.execute(request_id, actor=WORKER),
        lambda: gov.explain(request_id),
    ]


@pytest.mark.parametrize("topic", ["evil_mod:X", "os:system", "eventsourcing.domain:Snapshot", "Nonsense"])
def test_unknown_event_is_named_and_nothing_is_imported(gov: Governance, other: Governance, topic: str) -> None:
    request_id, sound = waiting(gov), waiting(gov)
    forge(gov, f"mutationRequest-{request_id}", 4, topic, b'{"type":"x","v":1,"data":{}}')
    modules = {name for name in sys.modules if not name.startswith(("governance", "pydantic"))}
    for call in calls(other, request_id):
        with pytest.raises(UnknownEventError) as caught:
            call()
        assert caught.value.ids["topic"] == topic
    assert {name for name in sys.modules if not name.startswith(("governance", "pydantic"))} == modules
    assert other.approve(sound, actor=ALAN).version == 4


@pytest.mark.parametrize("state", [b"{}", b"nonsense", b'{"type":"Approved","v":1,"data":{}}', b"[" * 5_000])
def test_damaged_event_is_named(gov: Governance, other: Governance, state: bytes) -> None:
    request_id = waiting(gov)
    forge(gov, f"mutationRequest-{request_id}", 4, "Approved", state)
    for call in calls(other, request_id):
        with pytest.raises(UnreadableEventError) as caught:
            call()
        assert caught.value.ids == {"stream": f"mutationRequest-{request_id}", "version": "4"}


def test_event_in_the_wrong_stream_is_named(gov: Governance, other: Governance) -> None:
    request_id = waiting(gov)
    forge_event(gov, f"mutationRequest-{request_id}", 4, sample("StateChanged").event)
    for call in calls(other, request_id):
        _expect_named(call)
    headless = "0198a000-0000-7000-8000-00000000beef"
    forge_event(gov, f"mutationRequest-{headless}", 1, Approved(round=1))
    _expect_named(lambda: other.request(headless))
    forge_event(gov, "governedState-x", 1, Approved(round=1))
    _expect_named(lambda: other.state("x"))
    _expect_named(lambda: other.run(Add(amount=1), state_id="x", actor=GRACE, reason="r"))
    forge_event(gov, "idempotencyKey-k", 1, Approved(round=1))
    _expect_named(lambda: other.run(Add(amount=1), state_id="y", actor=GRACE, reason="r", idempotency_key="k"))


def _expect_named(call: Callable[[], Any]) -> None:
    with pytest.raises(GovernanceError, match=r"(mutationRequest|governedState|idempotencyKey)-"):
        call()


def test_gap_in_a_stream_is_named(gov: Governance, other: Governance) -> None:
    request_id = waiting(gov)
    forge_event(gov, f"mutationRequest-{request_id}", 6, Approved(round=1))
    with pytest.raises(UnreadableEventError):
        other.request(request_id)
    with pytest.raises(UnreadableEventError):
        other.execute(request_id, actor=WORKER)


def test_forged_approval_does_not_run(gov: Governance, other: Governance) -> None:
    request_id = waiting(gov)
    stream = f"mutationRequest-{request_id}"
    gov.approve(request_id, actor=ALAN)
    forge_event(gov, stream, 5, Approved(round=1))
    with pytest.raises(DigestMismatchError):
        other.execute(request_id, actor=WORKER)
    another = waiting(gov)
    gov.approve(another, actor=ALAN)
    forge_event(gov, f"mutationRequest-{another}", 5, QuorumReached(requirement_id="1.1", approvers=("alan", "ceo")))
    forge_event(gov, f"mutationRequest-{another}", 6, Approved(round=1))
    assert other.request(another).status is Status.APPROVED
    with pytest.raises(DigestMismatchError):
        other.execute(another, actor=WORKER)
    assert other.state("s").version == 0


def test_edited_mutation_does_not_run(gov: Governance, store_url: str) -> None:
    request_id = waiting(gov)
    gov.approve(request_id, actor=ALAN)
    gov.approve(request_id, actor=EDSGER)
    rows = gov.log.event_recorder.select_events(f"mutationRequest-{request_id}")
    forged_id = "0198a000-0000-7000-8000-00000000f00d"
    for row in rows:
        envelope = json.loads(row.state)
        if row.topic == "Created":
            envelope["data"]["mutation"]["payload"]["user"] = "mallory"
        state = json.dumps(envelope).encode()
        forge(gov, f"mutationRequest-{forged_id}", row.originator_version, row.topic, state)
    with Governance.open(store_url, mutations=MUTATIONS) as fresh:
        assert fresh.request(forged_id).status is Status.APPROVED
        with pytest.raises(DigestMismatchError):
            fresh.execute(forged_id, actor=WORKER)
        with pytest.raises(DigestMismatchError):
            fresh.preview(forged_id)
        assert fresh.execute(request_id, actor=WORKER).executed


def test_edited_state_is_noticed_before_anything_runs_on_it(gov: Governance, other: Governance) -> None:
    first = gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    request = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    row = gov.log.event_recorder.select_events("governedState-c")[0]
    envelope = json.loads(row.state)
    envelope["data"]["value"] = {"value": "not a number"}
    forge(gov, "governedState-c", 2, "StateChanged", json.dumps(envelope).encode())
    with pytest.raises(GovernanceError, match="state c"):
        other.state("c")
    outcome = other.execute(request.id, actor=WORKER)
    assert (outcome.executed, outcome.request.status) == (False, Status.REJECTED)
    assert other.state("c", version=1).request_id == first.request.id
