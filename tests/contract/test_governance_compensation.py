"""Putting right what was done: once, linked both ways, governed like everything else, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from governance import (
    AlreadyCompensatedError,
    ConfigurationError,
    Context,
    Governance,
    InputError,
    InvalidTransitionError,
    NotReversibleError,
    Status,
    approval,
    deny,
    policy,
    require,
)
from governance.domain.compensation import Restore
from governance.domain.terms import CompensationKind
from tests.cases import (
    ALAN,
    GRACE,
    MUTATIONS,
    ROOT,
    STATE_ID,
    WORKER,
    Add,
    Counter,
    GrantAdmin,
    RevokeAdmin,
    Roles,
    SetNote,
)

pytestmark = pytest.mark.as_application


@policy(GrantAdmin)
def leads(mutation: GrantAdmin, state: Roles, context: Context) -> object:
    if context.compensates is None and mutation.user == "free":
        return require(approval(role="lead"))
    return require(approval(role="lead", name="undo" if context.compensates else None))


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        yield gov


def done(gov: Governance, amount: int = 5) -> str:
    """Return the id of an executed request."""
    return gov.run(Add(amount=amount), state_id="c", actor=GRACE, reason="r").request.id


def test_inverse_puts_right_and_links_both_ways(gov: Governance) -> None:
    original = done(gov)
    done(gov, 2)
    request = gov.compensate(original, actor=ALAN, reason="wrong")
    assert (request.status, request.links.compensates) == (Status.APPROVED, original)
    assert gov.request(original).status is Status.EXECUTED
    assert gov.execute(request.id, actor=WORKER).executed
    told = gov.request(original)
    assert (told.status, told.links.compensated_by) == (Status.COMPENSATED, request.id)
    assert gov.state("c").value == Counter(value=2)
    appended = {
        each.append_id for each in (gov.history(original)[-1], gov.history(request.id)[-1], gov.state_history("c")[-1])
    }
    assert len(appended) == 1


def test_restoration_puts_the_earlier_value_back(gov: Governance) -> None:
    gov.run(SetNote(note="x"), state_id=STATE_ID, actor=GRACE, reason="r")
    original = gov.run(RevokeAdmin(user="nobody"), state_id=STATE_ID, actor=GRACE, reason="r").request.id
    request = gov.compensate(original, actor=GRACE, reason="wrong", kind="restore")
    assert gov.execute(request.id, actor=WORKER).executed
    assert gov.state(STATE_ID).value == Roles(note="x")
    first = gov.state_history("c")
    assert first == []
    original = done(gov)
    gov.execute(gov.compensate(original, actor=GRACE, reason="r", kind="restore").id, actor=WORKER)
    assert (gov.state("c").version, gov.state("c").value) == (2, Counter())


def test_restoration_is_stale_once_the_state_has_moved(gov: Governance) -> None:
    original = done(gov)
    request = gov.compensate(original, actor=GRACE, reason="r", kind="restore")
    done(gov, 1)
    outcome = gov.execute(request.id, actor=WORKER)
    assert (outcome.executed, outcome.request.end_code) == (False, "stale")
    told = gov.request(original)
    assert (told.status, told.decisions[-1].code) == (Status.EXECUTED, "CompensationFailed")
    again = gov.compensate(original, actor=GRACE, reason="r")
    assert gov.execute(again.id, actor=WORKER).executed
    assert gov.request(original).links.compensated_by == again.id


def test_nothing_is_put_right_twice(gov: Governance) -> None:
    original = done(gov)
    first, second = (gov.compensate(original, actor=GRACE, reason="r") for _ in range(2))
    assert gov.execute(first.id, actor=WORKER).executed
    outcome = gov.execute(second.id, actor=WORKER)
    assert (outcome.executed, outcome.request.end_code) == (False, "already-compensated")
    with pytest.raises(AlreadyCompensatedError):
        gov.compensate(original, actor=GRACE, reason="r")
    assert gov.state("c").value == Counter(value=0)
    assert gov.request(original).links.compensated_by == first.id


def test_only_what_was_executed_can_be_put_right(gov: Governance) -> None:
    waiting = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    head = gov.log.head()
    with pytest.raises(InvalidTransitionError):
        gov.compensate(waiting.id, actor=GRACE, reason="r")
    assert gov.log.head() == head
    gov.cancel(waiting.id, actor=GRACE)
    with pytest.raises(InvalidTransitionError):
        gov.compensate(waiting.id, actor=GRACE, reason="r")


def test_mutation_without_inverse_needs_one_to_be_given(gov: Governance) -> None:
    original = gov.run(SetNote(note="x"), state_id=STATE_ID, actor=GRACE, reason="r").request.id
    with pytest.raises(NotReversibleError):
        gov.compensate(original, actor=GRACE, reason="r")
    request = gov.compensate(original, actor=GRACE, reason="r", mutation=SetNote(note="better"))
    assert gov.execute(request.id, actor=WORKER).executed
    assert gov.state(STATE_ID).value == Roles(note="better")


def test_what_is_given_has_to_be_a_mutation_of_that_state(gov: Governance) -> None:
    original = done(gov)
    head = gov.log.head()
    with pytest.raises(ConfigurationError):
        gov.compensate(original, actor=GRACE, reason="r", mutation=SetNote(note="x"))
    forged = Restore(request_id=original, version=0, value={"value": 1_000_000})
    kinds: tuple[CompensationKind, ...] = ("corrective", "restore")
    for kind in kinds:
        with pytest.raises(InputError):
            gov.compensate(original, actor=GRACE, reason="r", mutation=forged, kind=kind)
    with pytest.raises(InputError):
        gov.submit(forged, state_id="c", actor=GRACE, reason="r")
    others: list[Any] = ["undo", None, [], "Restore"]
    for other in others:
        with pytest.raises(InputError):
            gov.compensate(original, actor=GRACE, reason="r", kind=other)
    assert gov.log.head() == head


def test_compensation_can_be_put_right_itself(gov: Governance) -> None:
    original = done(gov)
    undo = gov.compensate(original, actor=GRACE, reason="r")
    gov.execute(undo.id, actor=WORKER)
    redo = gov.compensate(undo.id, actor=GRACE, reason="it was right after all")
    gov.execute(redo.id, actor=WORKER)
    assert gov.state("c").value == Counter(value=5)
    assert gov.request(undo.id).links.compensated_by == redo.id
    assert gov.request(original).links.compensated_by == undo.id


def test_who_governs_a_mutation_governs_its_undoing(store_url: str) -> None:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        original = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r").request.id
    with Governance.open(store_url, mutations=MUTATIONS, policies=[leads]) as gov:
        restore = gov.compensate(original, actor=GRACE, reason="r", kind="restore")
        assert (restore.status, restore.requirements[0].asked.name) == (Status.PENDING, "undo")
        gov.approve(restore.id, actor=ALAN)
        assert gov.execute(restore.id, actor=WORKER).executed
    closed = policy(Roles)(lambda *_: deny("closed"))
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        original = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r").request.id
    with Governance.open(store_url, mutations=MUTATIONS, policies=[closed]) as gov:
        refused = gov.compensate(original, actor=ROOT, reason="r")
        assert (refused.status, refused.end_code) == (Status.REJECTED, "policy-denied")
        assert gov.request(original).status is Status.EXECUTED


def test_large_and_deep_states_can_be_restored(store_url: str) -> None:
    with Governance.open(store_url, mutations=MUTATIONS) as gov:
        for number in range(4):
            gov.run(GrantAdmin(user=f"{number}" + "x" * 200_000), state_id=STATE_ID, actor=GRACE, reason="r")
        original = gov.run(SetNote(note="x"), state_id=STATE_ID, actor=GRACE, reason="r").request.id
        restore = gov.compensate(original, actor=GRACE, reason="r", kind="restore")
        assert gov.execute(restore.id, actor=WORKER).executed
        assert gov.state(STATE_ID).value.note == ""
