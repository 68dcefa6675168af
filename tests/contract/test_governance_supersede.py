"""Superseding: one request in another's place, each naming the other; rounds that end; requests as of a moment."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from governance import (
    Governance,
    InputError,
    InvalidTransitionError,
    MutationRequest,
    NotAuthorizedError,
    NotFoundError,
    Settings,
    Status,
    approval,
)
from tests.cases import ALAN, GRACE, MUTATIONS, ROOT, START, STATE_ID, TONY, WORKER, GrantAdmin

pytestmark = pytest.mark.as_application

LEAD = (approval(role="lead"),)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    ticks = iter(range(10_000))
    with Governance.open(
        store_url,
        mutations=MUTATIONS,
        settings=Settings(max_rounds=2),
        clock=lambda: START + timedelta(seconds=next(ticks)),
    ) as governance:
        yield governance


def asked(
    gov: Governance, user: str = "ada", state_id: str = STATE_ID, supersedes: str | None = None
) -> MutationRequest:
    return gov.submit(
        GrantAdmin(user=user), state_id=state_id, actor=GRACE, reason="on call", requires=LEAD, supersedes=supersedes
    )


def test_both_name_each_other(gov: Governance) -> None:
    old, new = asked(gov), asked(gov, "barbara")
    assert gov.supersede(old.id, by=new.id, actor=GRACE).links.superseded_by == new.id
    links = gov.request(new.id).links
    assert (links.supersedes, links.predecessors) == (old.id, (old.id,))
    assert gov.request(old.id).status is Status.SUPERSEDED


def test_successor_names_every_predecessor(gov: Governance) -> None:
    first, second = asked(gov), asked(gov)
    third = asked(gov, supersedes=first.id)
    gov.supersede(second.id, by=third.id, actor=ROOT)
    assert gov.request(third.id).links.predecessors == (first.id, second.id)
    assert {gov.request(each.id).links.superseded_by for each in (first, second)} == {third.id}


def test_superseding_is_for_the_requester_and_administrators(gov: Governance) -> None:
    old, new = asked(gov), asked(gov)
    head = gov.log.head()
    with pytest.raises(NotAuthorizedError):
        gov.supersede(old.id, by=new.id, actor=TONY)
    assert gov.log.head() == head


def test_only_another_request_about_the_same_state_takes_the_place(gov: Governance) -> None:
    old, elsewhere = asked(gov), asked(gov, state_id="tenant-43:roles")
    for by in (old.id, elsewhere.id):
        with pytest.raises(InputError):
            gov.supersede(old.id, by=by, actor=GRACE)
    with pytest.raises(NotFoundError):
        gov.supersede(old.id, by=uuid4(), actor=GRACE)
    assert gov.request(old.id).status is Status.PENDING


def test_what_has_ended_neither_takes_a_place_nor_gives_it_up(gov: Governance) -> None:
    ended, other = asked(gov), asked(gov)
    gov.cancel(ended.id, actor=GRACE)
    for old, new in ((ended, other), (other, ended)):
        with pytest.raises(InvalidTransitionError):
            gov.supersede(old.id, by=new.id, actor=GRACE)
    assert gov.request(other.id).status is Status.PENDING


def test_request_that_is_rejected_at_once_takes_nobodys_place(gov: Governance) -> None:
    gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="first")
    old = asked(gov, "barbara")
    assert asked(gov, "ada", supersedes=old.id).status is Status.REJECTED
    assert gov.request(old.id).status is Status.PENDING


def test_what_is_superseded_has_to_be_there(gov: Governance) -> None:
    head = gov.log.head()
    with pytest.raises(NotFoundError):
        asked(gov, supersedes=str(uuid4()))
    assert gov.log.head() == head


def test_going_round_has_an_end_with_a_reason(gov: Governance) -> None:
    request = gov.submit(
        GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="on call", requires=LEAD, stale="renew"
    )
    for user in ("barbara", "carol"):
        gov.approve(request.id, actor=ALAN)
        gov.run(GrantAdmin(user=user), state_id=STATE_ID, actor=GRACE, reason="drift")
        outcome = gov.execute(request.id, actor=WORKER)
        assert not outcome.executed
    assert (outcome.request.status, outcome.request.end_code) == (Status.REJECTED, "rounds-exhausted")
    assert "which is the limit" in str(outcome.request.ended_because)


def test_request_is_shown_as_it_was(gov: Governance) -> None:
    request = asked(gov)
    approved = gov.approve(request.id, actor=ALAN)
    gov.execute(request.id, actor=WORKER)
    assert gov.request(request.id, version=request.version) == request
    assert gov.request(request.id, at=approved.updated_at) == approved
    assert gov.request(request.id, at=approved.updated_at - timedelta(microseconds=1)).status is Status.PENDING
    for missing in ({"version": 99}, {"version": 0}, {"at": START - timedelta(days=1)}):
        with pytest.raises(NotFoundError):
            gov.request(request.id, **missing)
    with pytest.raises(InputError):
        gov.request(request.id, version=1, at=START)
