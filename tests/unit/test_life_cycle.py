"""The life cycle: which status may follow which, and which command is for which status."""

import pytest

from governance import (
    AlreadyCompensatedError,
    AlreadyExecutedError,
    ConcurrencyError,
    GovernanceError,
    InvalidTransitionError,
    MutationRequest,
    RejectionReason,
    Status,
    approval,
    role,
)
from governance.domain.commands import (
    Approve,
    BreakGlass,
    Cancel,
    Command,
    Comment,
    Delegate,
    Execute,
    Expire,
    Reassign,
    Reject,
    Replace,
    Review,
    Supersede,
    Withdraw,
)
from governance.domain.compensation import check_compensable
from governance.domain.condition_commands import OverrideWindow, RecordCheck, Release
from governance.domain.decider import decide
from governance.domain.effect_commands import DropEffect, ReportDelivery, RetryEffect
from governance.domain.events import (
    Canceled,
    Compensated,
    Event,
    ExecutionFailed,
    Expired,
    GlassBroken,
    Rejected,
    Superseded,
)
from governance.domain.lifecycle import COMMANDS, LEGAL, check_transition
from tests.cases import ALAN, GRACE, HOUR, OTHER_ID, ROOT, START, WORKER, evaluation, executed, submitted
from tests.spec import LATER, by, fold

HISTORIES: dict[str, tuple[Event, ...]] = {
    "pending": submitted(approval(role="lead")),
    "approved": submitted(),
    "executed": (*submitted(), executed()),
    "compensated": (*submitted(), executed(), Compensated(by=OTHER_ID, kind="restore", version=2)),
    "rejected": (*submitted(), Rejected(code="stale", reason="the state moved")),
    "canceled": (*submitted(), Canceled()),
    "expired": (*submitted(), Expired(expires_at=START)),
    "superseded": (*submitted(), Superseded(by=OTHER_ID)),
    "failed": (*submitted(), ExecutionFailed(attempt=3, error="no", final=True)),
}

BROKEN = by(ALAN, GlassBroken(reason="fire", requirements=(), review_until=LATER))

CALLS: dict[str, Command] = {
    "approve": Approve(actor=ALAN),
    "reject": Reject(actor=ALAN, rejection=RejectionReason()),
    "withdraw": Withdraw(actor=ALAN),
    "delegate": Delegate(actor=ALAN, to="tony", until=LATER + HOUR),
    "reassign": Reassign(actor=ROOT, requirement="1.1", approvers=(role("auditor"),), reason="away"),
    "break glass": BreakGlass(actor=ALAN, reason="fire", permission="lead", review_after=HOUR),
    "review": Review(actor=ROOT, justified=True, comment="fine", permission="auditor"),
    "comment": Comment(actor=ALAN, text="hm"),
    "cancel": Cancel(actor=GRACE),
    "expire": Expire(actor=GRACE),
    "supersede": Supersede(actor=GRACE, by=OTHER_ID),
    "replace": Replace(actor=GRACE, predecessor=OTHER_ID),
    "execute": Execute(actor=WORKER, evaluation=evaluation()),
    "release": Release(actor=WORKER),
    "record check": RecordCheck(actor=WORKER, check="none", passed=True, permission="lead"),
    "override window": OverrideWindow(actor=ROOT, reason="fire", permission="lead"),
    "deliver effect": ReportDelivery(actor=WORKER, effect="none", handler="mail"),
    "retry effect": RetryEffect(actor=ROOT, effect="none", reason="again"),
    "drop effect": DropEffect(actor=ROOT, effect="none", reason="enough"),
}

ALLOWED = {
    "approve": "pending",
    "reject": "pending",
    "withdraw": "pending",
    "delegate": "pending",
    "reassign": "pending",
    "break glass": "pending",
    "review": "pending approved executed compensated rejected canceled expired superseded failed",
    "comment": "pending approved executed compensated rejected canceled expired superseded failed",
    "cancel": "pending approved",
    "expire": "pending approved",
    "supersede": "pending approved",
    "replace": "pending approved",
    "execute": "approved",
    "compensate": "executed",
    "release": "pending",
    "record check": "pending",
    "override window": "pending approved",
    "deliver effect": "executed compensated",
    "retry effect": "executed compensated",
    "drop effect": "executed compensated",
}
"""Written from the diagram of the execution model, not from the code."""

FOLLOWING = {
    "pending": "approved rejected canceled expired superseded",
    "approved": "pending executed failed rejected canceled expired superseded",
    "executed": "compensated",
    "compensated": "",
    "rejected": "",
    "canceled": "",
    "expired": "",
    "superseded": "",
    "failed": "",
}
"""Written from the diagram of the execution model, not from the code."""


@pytest.mark.parametrize("status", HISTORIES)
def test_every_status_is_reached_by_its_history(status: str) -> None:
    assert fold(*HISTORIES[status]).status == status


def test_nothing_is_missing_from_the_tables() -> None:
    assert set(HISTORIES) == {str(each) for each in Status} == set(FOLLOWING)
    assert set(ALLOWED) == set(COMMANDS) == {*CALLS, "compensate"}
    assert {key: set(value.split()) for key, value in ALLOWED.items()} == COMMANDS
    assert {key: set(value.split()) for key, value in FOLLOWING.items()} == LEGAL


@pytest.mark.parametrize("status", HISTORIES)
@pytest.mark.parametrize("command", CALLS)
def test_command_is_for_its_statuses_only(command: str, status: str) -> None:
    request = fold(*HISTORIES[status], *([BROKEN] if command == "review" else []))
    refused = _refusal(CALLS[command], request)
    if status in ALLOWED[command].split():
        assert not isinstance(refused, InvalidTransitionError)
        return
    assert isinstance(refused, InvalidTransitionError)
    assert refused.ids == {"request": request.id, "status": status, "command": command}


def _refusal(command: Command, request: MutationRequest) -> GovernanceError | None:
    try:
        decide(command, request, LATER)
    except GovernanceError as error:
        return error
    return None


@pytest.mark.parametrize("status", HISTORIES)
def test_only_what_was_executed_can_be_compensated(status: str) -> None:
    request = fold(*HISTORIES[status])
    if status == "executed":
        check_compensable(request)
        return
    expected = AlreadyCompensatedError if status == "compensated" else InvalidTransitionError
    with pytest.raises(expected) as caught:
        check_compensable(request)
    assert caught.value.ids["request"] == request.id


@pytest.mark.parametrize("status", ["executed", "compensated"])
def test_executing_again_is_a_lost_race_and_an_invalid_transition(status: str) -> None:
    with pytest.raises(AlreadyExecutedError) as caught:
        decide(CALLS["execute"], fold(*HISTORIES[status]), LATER)
    assert isinstance(caught.value, ConcurrencyError)
    assert isinstance(caught.value, InvalidTransitionError)


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_only_legal_transitions_pass(before: Status, after: Status) -> None:
    if before is after or after in FOLLOWING[before].split():
        check_transition(before, after, "id")
        return
    with pytest.raises(InvalidTransitionError, match=f"from {before} to {after}"):
        check_transition(before, after, "id")


@pytest.mark.parametrize("status", [each for each in HISTORIES if each not in {"pending", "approved"}])
def test_ended_request_waits_for_nothing(status: str) -> None:
    request = fold(*HISTORIES["pending"], *HISTORIES[status][3:])
    assert request.open_requirements == ()
    assert request.pending_reasons == ()


def test_pending_request_says_what_it_waits_for() -> None:
    assert fold(*HISTORIES["pending"]).pending_reasons == ("approval",)
