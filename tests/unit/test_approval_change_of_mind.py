"""Saying no, taking a decision back, and deciding on what was seen."""

from governance import (
    Actor,
    AlreadyDecidedError,
    NotFoundError,
    RejectionReason,
    StaleError,
    Status,
    approval,
)
from governance.domain.commands import Approve, Reject, Withdraw
from governance.domain.events import (
    ApprovalGranted,
    ApprovalRejected,
    ApprovalWithdrawn,
    Approved,
    QuorumReached,
    Rejected,
)
from tests.cases import ALAN, BARBARA, EDSGER, TONY, granted, lead, refused, submitted
from tests.spec import by, fold, given

NO = RejectionReason(code="too-risky", category="security", message="not this week", metadata={"ticket": "SEC-1"})
VETO = submitted(approval(role="lead", quorum=2))
NO_VETO = submitted(approval(role="lead", quorum=2, veto=False))
THREE_NAMED = submitted(approval(actor=["alan", "barbara", "edsger"], quorum=2, veto=False))


def test_one_no_ends_the_request_by_default() -> None:
    (no, end) = given(*VETO).when(Reject(actor=ALAN, rejection=NO)).then_kinds(ApprovalRejected, Rejected)
    assert isinstance(no, ApprovalRejected)
    assert no.rejection == NO
    assert end == Rejected(code="approval-rejected", reason="alan: not this week")
    assert given(*VETO).when(Reject(actor=ALAN, rejection=NO)).then_request().status is Status.REJECTED


def test_reason_without_words_is_told_by_its_code() -> None:
    end = given(*VETO).when(Reject(actor=ALAN, rejection=RejectionReason(code="no"))).decided()[-1]
    assert end == Rejected(code="approval-rejected", reason="alan: no")


def test_without_veto_others_may_still_make_up_the_quorum() -> None:
    request = given(*NO_VETO).when(Reject(actor=ALAN, rejection=NO)).then_request()
    assert request.status is Status.PENDING
    assert request.open_requirements[0].missing == 2


def test_quorum_counts_only_those_who_said_yes() -> None:
    history = (*NO_VETO, by(ALAN, refused(NO_VETO, ALAN)), by(EDSGER, granted(NO_VETO, EDSGER)))
    given(*history).when(Approve(actor=BARBARA)).then(
        granted(NO_VETO, BARBARA),
        QuorumReached(requirement_id="1.1", approvers=("edsger", "barbara")),
        Approved(round=1),
    )


def test_named_people_run_out() -> None:
    first = by(TONY, refused(THREE_NAMED, ALAN))
    given(*THREE_NAMED).when(Reject(actor=ALAN, rejection=NO)).then_kinds(ApprovalRejected)
    given(*THREE_NAMED, first).when(Reject(actor=EDSGER, rejection=NO)).then_kinds(ApprovalRejected, Rejected)


def test_people_who_may_not_decide_do_not_count_as_left() -> None:
    history = submitted(
        approval(actor=["alan", "barbara", "edsger"], quorum=2, veto=False), requester=Actor(id="barbara")
    )
    given(*history).when(Reject(actor=ALAN, rejection=NO)).then_kinds(ApprovalRejected, Rejected)


def test_role_never_runs_out_of_people() -> None:
    crowd = [lead(f"lead-{number}") for number in range(20)]
    history = (*NO_VETO, *(by(each, refused(NO_VETO, each)) for each in crowd))
    given(*history).when(Reject(actor=ALAN, rejection=NO)).then_kinds(ApprovalRejected)


def test_no_after_yes_needs_a_withdrawal_first() -> None:
    history = (*VETO, by(ALAN, granted(VETO, ALAN)))
    given(*history).when(Reject(actor=ALAN, rejection=NO)).then_refused(AlreadyDecidedError, "withdraw")
    taken_back = by(ALAN, ApprovalWithdrawn(requirement_id="1.1", approver="alan"))
    given(*history, taken_back).when(Reject(actor=ALAN, rejection=NO)).then_kinds(ApprovalRejected, Rejected)


def test_yes_after_no_needs_a_withdrawal_first() -> None:
    history = (*NO_VETO, by(ALAN, refused(NO_VETO, ALAN)))
    given(*history).when(Approve(actor=ALAN)).then_refused(AlreadyDecidedError, "rejected")
    taken_back = by(ALAN, ApprovalWithdrawn(requirement_id="1.1", approver="alan"))
    given(*history, taken_back).when(Approve(actor=ALAN)).then(granted(NO_VETO, ALAN))


def test_decision_taken_back_does_not_count() -> None:
    history = (*VETO, by(ALAN, granted(VETO, ALAN)))
    given(*history).when(Withdraw(actor=ALAN, reason="oops")).then(
        ApprovalWithdrawn(requirement_id="1.1", approver="alan", reason="oops")
    )
    taken_back = by(ALAN, ApprovalWithdrawn(requirement_id="1.1", approver="alan"))
    given(*history, taken_back).when(Approve(actor=EDSGER)).then_kinds(ApprovalGranted)
    given(*history, taken_back).when(Approve(actor=ALAN)).then_kinds(ApprovalGranted)


def test_requirement_that_was_met_opens_again() -> None:
    history = submitted(approval(role="lead"), approval(group="board"))
    met = (by(ALAN, granted(history, ALAN)), QuorumReached(requirement_id="1.1", approvers=("alan",)))
    request = given(*history, *met).when(Withdraw(actor=ALAN)).then_request()
    assert [each.status for each in request.requirements] == ["open", "open"]
    assert request.requirements[0].votes == ()


def test_only_one_s_own_decision_can_be_taken_back() -> None:
    history = (*VETO, by(ALAN, granted(VETO, ALAN)))
    given(*history).when(Withdraw(actor=EDSGER)).then_refused(NotFoundError, "edsger has no decision", actor="edsger")
    given(*history).when(Withdraw(actor=ALAN, requirement="1.2")).then_refused(NotFoundError)
    given(*VETO).when(Withdraw(actor=ALAN)).then_refused(NotFoundError)


def test_withdrawal_takes_back_one_or_all() -> None:
    history = submitted(approval(role="lead", quorum=2), approval(role="auditor", quorum=2))
    decided = (by(EDSGER, granted(history, EDSGER, 1)), by(EDSGER, granted(history, EDSGER, 2)))
    given(*history, *decided).when(Withdraw(actor=EDSGER)).then(
        ApprovalWithdrawn(requirement_id="1.1", approver="edsger"),
        ApprovalWithdrawn(requirement_id="1.2", approver="edsger"),
    )
    given(*history, *decided).when(Withdraw(actor=EDSGER, requirement="1.2")).then(
        ApprovalWithdrawn(requirement_id="1.2", approver="edsger")
    )


def test_what_was_seen_has_to_be_what_is_there() -> None:
    request = fold(*VETO)
    for seen in (request.digest, request.requirements[0].digest, None):
        assert given(*VETO).when(Approve(actor=ALAN, seen=seen)).decided()
        assert given(*VETO).when(Reject(actor=ALAN, rejection=NO, seen=seen)).decided()
    for seen in (request.mutation_digest, request.digest.upper(), "sha256:" + "0" * 64, "x"):
        given(*VETO).when(Approve(actor=ALAN, seen=seen)).then_refused(StaleError, request=request.id)
        given(*VETO).when(Reject(actor=ALAN, rejection=NO, seen=seen)).then_refused(StaleError, request=request.id)


def test_digest_of_one_requirement_is_not_that_of_two() -> None:
    history = submitted(approval(role="lead"), approval(role="auditor"))
    first = fold(*history).requirements[0].digest
    given(*history).when(Approve(actor=EDSGER, seen=first)).then_refused(StaleError)
    assert given(*history).when(Approve(actor=EDSGER, seen=first, requirement="1.1")).decided()
    assert given(*history).when(Approve(actor=ALAN, seen=first)).decided()
