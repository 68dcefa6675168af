"""Handing a decision on: delegation and reassignment."""

from datetime import timedelta

import pytest

from governance import (
    Actor,
    AlreadyDecidedError,
    Approver,
    ConfigurationError,
    InputError,
    NotAuthorizedError,
    NotFoundError,
    SamePersonError,
    SelfApprovalError,
    Status,
    approval,
    role,
)
from governance.domain.approval_events import ApprovalDelegated, ApprovalGranted, ApprovalReassigned, PendingApproval
from governance.domain.commands import Approve, Delegate, Reassign, Reject, Withdraw
from governance.domain.terms import RejectionReason
from tests.cases import ALAN, BARBARA, EDSGER, GRACE, HOUR, INSTANT, ROOT, START, TONY, granted, submitted
from tests.spec import LATER, Told, by, given

TWO_LEADS = submitted(approval(role="lead", quorum=2))
CHAINS = submitted(approval(role="lead", quorum=2, chains=True))
UNTIL = START + 2 * HOUR
ZOE = Actor(id="zoe")


def hand_on(actor: Actor, to: str) -> Delegate:
    return Delegate(actor=actor, to=to, until=UNTIL)


def handed_on(actor: Actor, to: Actor, matched: Approver | None = None) -> Told:
    matched = matched or Approver(kind="role", id="lead")
    event = ApprovalDelegated(requirement_id="1.1", delegator=actor.id, delegate=to.id, matched=matched, until=UNTIL)
    return by(actor, event)


def test_delegation_names_both_and_its_end() -> None:
    given(*TWO_LEADS).when(hand_on(ALAN, "tony")).then(
        ApprovalDelegated(
            requirement_id="1.1",
            delegator="alan",
            delegate="tony",
            matched=Approver(kind="role", id="lead"),
            until=UNTIL,
        )
    )


def test_delegate_decides_in_the_delegators_place_and_both_stay_visible() -> None:
    (event,) = given(*TWO_LEADS, handed_on(ALAN, TONY)).when(Approve(actor=TONY)).then_kinds(ApprovalGranted)
    assert isinstance(event, ApprovalGranted)
    assert (event.approver, event.delegated_by, event.matched.id) == ("tony", "alan", "lead")


def test_delegation_ends_at_its_time() -> None:
    history = (*TWO_LEADS, handed_on(ALAN, TONY))
    given(*history).when(Approve(actor=TONY), now=UNTIL - INSTANT).then_kinds(ApprovalGranted)
    given(*history).when(Approve(actor=TONY), now=UNTIL).then_refused(NotAuthorizedError)


def test_one_person_does_not_count_as_delegate_and_as_themselves() -> None:
    vote = granted(TWO_LEADS, BARBARA)
    history = (*TWO_LEADS, handed_on(ALAN, BARBARA), by(BARBARA, vote))
    given(*history).when(Approve(actor=BARBARA)).then_refused(AlreadyDecidedError)


def test_delegator_does_not_count_once_more_after_the_delegate() -> None:
    history = (*TWO_LEADS, handed_on(ALAN, TONY))
    (vote,) = given(*history).when(Approve(actor=TONY)).decided()
    given(*history, by(TONY, vote)).when(Approve(actor=ALAN)).then_refused(AlreadyDecidedError)


def test_delegate_is_out_of_place_once_the_delegator_decided() -> None:
    history = (*TWO_LEADS, handed_on(ALAN, TONY), by(ALAN, granted(TWO_LEADS, ALAN)))
    given(*history).when(Approve(actor=TONY)).then_refused(NotAuthorizedError)


def test_delegator_may_take_back_what_was_decided_in_their_place() -> None:
    history = (*TWO_LEADS, handed_on(ALAN, TONY))
    (vote,) = given(*history).when(Approve(actor=TONY)).decided()
    request = given(*history, by(TONY, vote)).when(Withdraw(actor=ALAN)).then_request()
    assert request.open_requirements[0].votes == ()


def test_nobody_delegates_to_who_stands_behind_the_request() -> None:
    given(*TWO_LEADS).when(hand_on(ALAN, "grace")).then_refused(SelfApprovalError, actor="grace")


def test_requester_has_nothing_to_delegate() -> None:
    lead_herself = GRACE.model_copy(update={"roles": ("lead",)})
    given(*TWO_LEADS).when(hand_on(lead_herself, "tony")).then_refused(SelfApprovalError)


def test_who_may_not_decide_may_not_delegate() -> None:
    given(*TWO_LEADS).when(hand_on(TONY, "zoe")).then_refused(NotAuthorizedError)


def test_who_has_decided_may_not_delegate_what_is_done() -> None:
    given(*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN))).when(hand_on(ALAN, "tony")).then_refused(AlreadyDecidedError)


@pytest.mark.parametrize("to", ["alan", "grace-for-alan"])
def test_delegating_to_oneself_is_no_delegation(to: str) -> None:
    actor = Actor(id="grace-for-alan", roles=("lead",), on_behalf_of="alan")
    given(*TWO_LEADS).when(hand_on(actor, to)).then_refused(InputError, field="to")


def test_delegation_into_the_past_is_refused() -> None:
    command = Delegate(actor=ALAN, to="tony", until=LATER)
    given(*TWO_LEADS).when(command, now=LATER).then_refused(InputError, field="until")


def test_delegate_does_not_pass_it_on_unless_chains_are_allowed() -> None:
    given(*TWO_LEADS, handed_on(ALAN, TONY)).when(hand_on(TONY, "zoe")).then_refused(NotAuthorizedError)
    history = (*CHAINS, handed_on(ALAN, TONY))
    (event,) = given(*history).when(hand_on(TONY, "zoe")).then_kinds(ApprovalDelegated)
    given(*history, by(TONY, event)).when(Approve(actor=ZOE)).then_kinds(ApprovalGranted)


def test_rejection_by_a_delegate_is_a_veto_like_any_other() -> None:
    command = Reject(actor=TONY, rejection=RejectionReason(message="no"))
    assert given(*TWO_LEADS, handed_on(ALAN, TONY)).when(command).then_request().status is Status.REJECTED


def reassigned(approvers: tuple[Approver, ...], actor: Actor = ROOT) -> Reassign:
    return Reassign(actor=actor, requirement="1.1", approvers=approvers, reason="on holiday")


def test_reassignment_voids_the_old_requirement_and_opens_the_same_for_others() -> None:
    history = (*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN)))
    _, opened = given(*history).when(reassigned((role("vp"),))).then_kinds(ApprovalReassigned, PendingApproval)
    assert isinstance(opened, PendingApproval)
    assert opened.requirement.quorum == 2
    request = given(*history).when(reassigned((role("vp"),))).then_request()
    assert [(each.id, each.status) for each in request.requirements] == [("1.1", "void"), ("1.2", "open")]
    assert request.current_requirements[0].votes == ()


def test_only_administrators_reassign() -> None:
    for actor in (GRACE, ALAN, TONY):
        given(*TWO_LEADS).when(reassigned((role("vp"),), actor)).then_refused(NotAuthorizedError, actor=actor.id)


@pytest.mark.parametrize(
    "approvers",
    [(), (Approver(kind="actor", id="zoe"),), (Approver(kind="actor", id="zoe"), Approver(kind="actor", id="grace"))],
)
def test_reassignment_to_too_few_people_is_refused(approvers: tuple[Approver, ...]) -> None:
    given(*TWO_LEADS).when(reassigned(approvers)).then_refused(ConfigurationError)


def test_reassignment_of_what_is_not_there_is_refused() -> None:
    command = Reassign(actor=ROOT, requirement="1.9", approvers=(role("vp"),), reason="why not")
    given(*TWO_LEADS).when(command).then_refused(NotFoundError, requirement="1.9")


def test_different_people_are_asked_for_by_step() -> None:
    both = Actor(id="both", roles=("lead", "cto"))
    steps = submitted(approval(role="lead"), approval(role="cto", step=2, different_from_step=1, name="second pair"))
    one = given(*steps).when(Approve(actor=both)).decided()
    history = (*steps, *(by(both, each) for each in one))
    given(*history).when(Approve(actor=both, requirement="second pair")).then_refused(SamePersonError, actor="both")
    other = Actor(id="other", roles=("cto",))
    assert given(*history).when(Approve(actor=other)).then_request().status is Status.APPROVED


def test_two_vetoes_are_needed_when_two_are_asked_for() -> None:
    history = submitted(approval(role="lead", veto=2))
    first = given(*history).when(Reject(actor=ALAN, rejection=RejectionReason(message="no")))
    assert first.then_request().status is Status.PENDING
    second = given(*history, *(by(ALAN, each) for each in first.decided()))
    assert second.when(Reject(actor=EDSGER, rejection=RejectionReason())).then_request().status is Status.REJECTED


def test_step_can_only_differ_from_an_earlier_one() -> None:
    with pytest.raises(ConfigurationError):
        approval(role="lead", step=2, different_from_step=2)
    assert approval(
        role="lead", step=3, different_from_step=(2, 1), expires_after=timedelta(hours=1)
    ).different_from == (1, 2)
