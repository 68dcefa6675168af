"""Deadlines: what is in time, what is late, and what time alone does to a request."""

from datetime import datetime, timedelta

import pytest

from governance import SYSTEM, ApprovalExpiredError, RejectionReason, Status, approval
from governance.domain.commands import Approve, Cancel, Command, Expire, Reject, Withdraw
from governance.domain.events import (
    ApprovalExpired,
    ApprovalGranted,
    ApprovalWithdrawn,
    Approved,
    Canceled,
    Expired,
    QuorumReached,
    Rejected,
)
from governance.domain.expiry import due
from tests.cases import ALAN, EDSGER, GRACE, HOUR, INSTANT, START, granted, requirement_of, submitted
from tests.spec import by, fold, given

END = START + HOUR
AFTER_AN_HOUR = submitted(approval(role="lead", expires_after=HOUR))
UNTIL_THEN = submitted(approval(role="lead", expires_at=END))
REQUEST_UNTIL_THEN = submitted(approval(role="lead"), expires_at=END)

DECISIONS: list[Command] = [Approve(actor=ALAN), Reject(actor=ALAN, rejection=RejectionReason())]


def test_duration_counts_from_the_opening() -> None:
    assert requirement_of(AFTER_AN_HOUR).expires_at == END
    assert requirement_of(UNTIL_THEN).expires_at == END


@pytest.mark.parametrize("history", [AFTER_AN_HOUR, UNTIL_THEN, REQUEST_UNTIL_THEN])
def test_last_instant_before_the_deadline_is_in_time(history: tuple[ApprovalGranted, ...]) -> None:
    for command in DECISIONS:
        assert given(*history).when(command, now=END - INSTANT).decided()


@pytest.mark.parametrize("history", [AFTER_AN_HOUR, UNTIL_THEN, REQUEST_UNTIL_THEN])
@pytest.mark.parametrize("late", [timedelta(), INSTANT, HOUR])
def test_deadline_itself_is_late(history: tuple[ApprovalGranted, ...], late: timedelta) -> None:
    for command in DECISIONS:
        given(*history).when(command, now=END + late).then_refused(ApprovalExpiredError, expires_at=str(END))


def test_earlier_of_two_deadlines_counts() -> None:
    history = submitted(approval(role="lead", expires_after=3 * HOUR), expires_at=END)
    given(*history).when(DECISIONS[0], now=END).then_refused(ApprovalExpiredError, expires_at=str(END))
    history = submitted(approval(role="lead", expires_after=HOUR), expires_at=START + 3 * HOUR)
    given(*history).when(DECISIONS[0], now=END).then_refused(ApprovalExpiredError, expires_at=str(END))


def test_requirement_that_is_late_does_not_hold_up_another() -> None:
    history = submitted(approval(role="lead", expires_after=HOUR, name="quick"), approval(role="lead", name="slow"))
    given(*history).when(Approve(actor=ALAN), now=END).then(
        granted(history, ALAN, 2), QuorumReached(requirement_id="1.2", approvers=("alan",))
    )
    given(*history).when(Approve(actor=ALAN, requirement="quick"), now=END).then_refused(ApprovalExpiredError)


@pytest.mark.parametrize(("history", "kinds"), [
    (AFTER_AN_HOUR, [ApprovalExpired(requirement_id="1.1"),
                     Rejected(code="approval-expired", reason="the deadline of requirement 1.1 passed")]),
    (REQUEST_UNTIL_THEN, [Expired(expires_at=END)]),
])  # fmt: skip
def test_time_alone_ends_a_request(history: tuple[ApprovalGranted, ...], kinds: list[Expired]) -> None:
    request = fold(*history)
    assert list(due(request, END - INSTANT)) == []
    assert list(due(request, END)) == kinds
    given(*history).when(Expire(actor=SYSTEM), now=END - INSTANT).then_refused(ApprovalExpiredError, "nothing")
    given(*history).when(Expire(actor=SYSTEM), now=END).then(*kinds)


def test_deadline_of_the_request_comes_before_those_of_its_requirements() -> None:
    history = submitted(approval(role="lead", expires_after=HOUR), expires_at=END)
    assert given(*history).when(Expire(actor=SYSTEM), now=END).then_request().status is Status.EXPIRED


def test_deadline_of_a_requirement_that_was_met_is_past_caring() -> None:
    history = submitted(approval(role="lead", expires_after=HOUR), approval(role="auditor"))
    met = (by(ALAN, granted(history, ALAN)), QuorumReached(requirement_id="1.1", approvers=("alan",)))
    assert list(due(fold(*history, *met), END + HOUR)) == []
    assert list(due(fold(*AFTER_AN_HOUR, granted(AFTER_AN_HOUR, ALAN), Approved(round=1)), END + HOUR)) == []


def test_approved_request_expires_at_its_own_deadline() -> None:
    history = submitted(expires_at=END)
    given(*history).when(Expire(actor=SYSTEM), now=END).then(Expired(expires_at=END))


def test_later_step_expires_while_it_waits() -> None:
    history = submitted(approval(role="auditor"), approval(role="lead", step=2, expires_after=HOUR))
    assert given(*history).when(Expire(actor=SYSTEM), now=END).decided()[0] == ApprovalExpired(requirement_id="1.2")


def test_what_has_ended_never_expires() -> None:
    assert list(due(fold(*AFTER_AN_HOUR, Rejected(code="x", reason="y")), END)) == []
    assert list(due(fold(*REQUEST_UNTIL_THEN, Canceled()), END)) in ([], [Expired(expires_at=END)])


def test_late_request_can_still_be_taken_back() -> None:
    given(*REQUEST_UNTIL_THEN).when(Cancel(actor=GRACE), now=END).then(Canceled())
    history = submitted(approval(role="lead", quorum=2, expires_after=HOUR))
    given(*history, by(EDSGER, granted(history, EDSGER))).when(Withdraw(actor=EDSGER), now=END).then(
        ApprovalWithdrawn(requirement_id="1.1", approver="edsger")
    )


@pytest.mark.parametrize("deadline", [START, START - INSTANT, datetime.min.replace(tzinfo=START.tzinfo)])
def test_deadline_in_the_past_is_refused_at_once(deadline: datetime) -> None:
    from governance import ConfigurationError, InputError

    with pytest.raises(ConfigurationError, match="has passed already"):
        submitted(approval(role="lead", expires_at=deadline))
    with pytest.raises(InputError) as caught:
        submitted(expires_at=deadline)
    assert caught.value.ids["field"] == "expires_at"
