"""Quorums: how many distinct people, and when the request is approved."""

import pytest

from governance import Actor, AlreadyDecidedError, Status, approval, group, role
from governance.domain.commands import Approve
from governance.domain.events import ApprovalGranted, Approved, QuorumReached
from tests.cases import ALAN, BARBARA, EDSGER, GRACE, granted, lead, submitted
from tests.spec import by, given

TWO_LEADS = submitted(approval(role="lead", quorum=2))
LEAD_OR_AUDITOR = submitted(approval(any_of=(role("lead"), role("auditor"), "edsger"), quorum=2))


def test_one_yes_is_enough_unless_more_are_asked_for() -> None:
    history = submitted(approval(role="lead"))
    given(*history).when(Approve(actor=ALAN, comment="fine")).then(
        granted(history, ALAN, comment="fine"),
        QuorumReached(requirement_id="1.1", approvers=("alan",)),
        Approved(round=1),
    )


def test_first_of_two_leaves_the_request_pending() -> None:
    given(*TWO_LEADS).when(Approve(actor=ALAN)).then(granted(TWO_LEADS, ALAN))
    request = given(*TWO_LEADS).when(Approve(actor=ALAN)).then_request()
    assert request.status is Status.PENDING
    assert request.open_requirements[0].missing == 1


def test_second_distinct_lead_completes_the_quorum() -> None:
    given(*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN))).when(Approve(actor=EDSGER)).then(
        granted(TWO_LEADS, EDSGER),
        QuorumReached(requirement_id="1.1", approvers=("alan", "edsger")),
        Approved(round=1),
    )


def test_person_who_said_yes_does_not_count_again() -> None:
    given(*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN))).when(Approve(actor=ALAN)).then_refused(
        AlreadyDecidedError, "alan", actor="alan", requirement="1.1"
    )


@pytest.mark.parametrize("roles", [("auditor",), ("lead",), ("auditor", "lead"), ()])
def test_second_role_of_a_person_is_no_second_person(roles: tuple[str, ...]) -> None:
    again = Actor(id="edsger", roles=roles, name="E. W. Dijkstra", kind="service")
    given(*LEAD_OR_AUDITOR, by(EDSGER, granted(LEAD_OR_AUDITOR, EDSGER))).when(Approve(actor=again)).then_refused(
        AlreadyDecidedError
    )


def test_person_who_acted_for_another_does_not_count_as_themselves_too() -> None:
    for_barbara = Actor(id="alan", roles=("lead",), on_behalf_of="barbara")
    history = (*TWO_LEADS, by(for_barbara, granted(TWO_LEADS, for_barbara)))
    given(*history).when(Approve(actor=ALAN)).then_refused(AlreadyDecidedError)


def test_person_who_decided_does_not_count_again_for_another() -> None:
    for_barbara = Actor(id="alan", roles=("lead",), on_behalf_of="barbara")
    history = (*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN)))
    given(*history).when(Approve(actor=for_barbara)).then_refused(AlreadyDecidedError)


def test_person_who_acts_for_two_does_not_count_twice() -> None:
    for_barbara = Actor(id="alan", roles=("lead",), on_behalf_of="barbara")
    for_edsger = Actor(id="alan", roles=("lead",), on_behalf_of="edsger")
    history = (*TWO_LEADS, by(for_barbara, granted(TWO_LEADS, for_barbara)))
    given(*history).when(Approve(actor=for_edsger)).then_refused(AlreadyDecidedError)


def test_person_whose_delegate_decided_does_not_count_again() -> None:
    for_barbara = Actor(id="alan", roles=("lead",), on_behalf_of="barbara")
    history = (*TWO_LEADS, by(for_barbara, granted(TWO_LEADS, for_barbara)))
    given(*history).when(Approve(actor=BARBARA)).then_refused(AlreadyDecidedError, actor="barbara")
    given(*history).when(Approve(actor=EDSGER)).then_kinds(ApprovalGranted, QuorumReached, Approved)


def test_only_the_entitlement_that_matched_is_recorded() -> None:
    history = submitted(approval(any_of=(group("security"), role("lead"))))
    (event, *_) = given(*history).when(Approve(actor=ALAN)).decided()
    assert isinstance(event, ApprovalGranted)
    assert event.matched == role("lead")
    (event, *_) = given(*history).when(Approve(actor=BARBARA)).decided()
    assert isinstance(event, ApprovalGranted)
    assert event.matched == group("security")


@pytest.mark.parametrize("quorum", [1, 2, 3, 7])
def test_quorum_is_reached_by_exactly_as_many_people_as_asked_for(quorum: int) -> None:
    history = submitted(approval(role="lead", quorum=quorum))
    people = [lead(f"lead-{number}") for number in range(quorum)]
    before = [by(each, granted(history, each)) for each in people[:-1]]
    given(*history, *before).when(Approve(actor=people[-1])).then_kinds(ApprovalGranted, QuorumReached, Approved)
    if quorum > 1:
        given(*history, *before[:-1]).when(Approve(actor=people[-1])).then_kinds(ApprovalGranted)


def test_quorum_that_was_reached_takes_no_more() -> None:
    history = submitted(approval(role="lead"), approval(role="auditor"))
    done = (by(ALAN, granted(history, ALAN)), QuorumReached(requirement_id="1.1", approvers=("alan",)))
    given(*history, *done).when(Approve(actor=BARBARA)).then_refused(AlreadyDecidedError, "satisfied already")


def test_request_is_approved_when_the_last_requirement_is_met() -> None:
    history = submitted(approval(role="lead"), approval(role="auditor"))
    done = (by(ALAN, granted(history, ALAN)), QuorumReached(requirement_id="1.1", approvers=("alan",)))
    auditor = Actor(id="kathleen", roles=("auditor",))
    given(*history, *done).when(Approve(actor=auditor)).then(
        granted(history, auditor, 2),
        QuorumReached(requirement_id="1.2", approvers=("kathleen",)),
        Approved(round=1),
    )


def test_one_yes_counts_for_every_requirement_that_asks_for_this_person() -> None:
    history = submitted(approval(role="lead"), approval(role="auditor"))
    given(*history).when(Approve(actor=EDSGER)).then(
        granted(history, EDSGER, 1),
        QuorumReached(requirement_id="1.1", approvers=("edsger",)),
        granted(history, EDSGER, 2),
        QuorumReached(requirement_id="1.2", approvers=("edsger",)),
        Approved(round=1),
    )


def test_yes_to_a_named_requirement_counts_for_that_one_only() -> None:
    history = submitted(approval(role="lead"), approval(role="auditor", name="audit"))
    for key in ("1.2", "audit"):
        given(*history).when(Approve(actor=EDSGER, requirement=key)).then(
            granted(history, EDSGER, 2), QuorumReached(requirement_id="1.2", approvers=("edsger",))
        )


def test_equal_requirements_are_one() -> None:
    history = submitted(approval(role="lead"), approval(role="lead"))
    assert len(history) == 3
    given(*history).when(Approve(actor=ALAN)).then_kinds(ApprovalGranted, QuorumReached, Approved)


def test_id_of_a_requirement_is_stronger_than_the_name_of_another() -> None:
    history = submitted(approval(role="lead", name="1.2"), approval(role="auditor"))
    auditor = Actor(id="kathleen", roles=("auditor",))
    given(*history).when(Approve(actor=auditor, requirement="1.2")).then(
        granted(history, auditor, 2), QuorumReached(requirement_id="1.2", approvers=("kathleen",))
    )


def test_nothing_to_wait_for_is_approved_at_once() -> None:
    assert submitted()[-1] == Approved(round=1)
    assert submitted(requester=GRACE)[0] == submitted()[0]
