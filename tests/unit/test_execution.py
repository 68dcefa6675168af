"""Execution: attempts, what was approved is what runs, rounds that void what was before them, and compensation."""

import pytest
from pydantic import JsonValue

from governance import AlreadyDecidedError, DigestMismatchError, Status, approval
from governance.domain.commands import Approve, Execute, Withdraw
from governance.domain.events import (
    ApprovalGranted,
    Approved,
    Compensated,
    CompensationFailed,
    Event,
    Executed,
    ExecutionFailed,
    PendingApproval,
    PoliciesEvaluated,
    QuorumReached,
    VersionResolved,
)
from tests.cases import ADA, ALAN, EDSGER, HOUR, NOBODY, OTHER_ID, START, WORKER, evaluation, executed, submitted
from tests.spec import LATER, Told, by, fold, given

BOB: JsonValue = {"admins": ["bob"], "note": ""}
BOB_ADA: JsonValue = {"admins": ["bob", "ada"], "note": ""}
NOW_RUN = Execute(actor=WORKER, evaluation=evaluation(verdicts=None))
FAILING = Execute(actor=WORKER, evaluation=evaluation(verdicts=None, failure="ZeroDivisionError: no"), max_attempts=3)


def approved(*history: Event) -> tuple[Event | Told, ...]:
    """Return the history with the approval by alan of whatever waits for him."""
    return (*history, *(by(ALAN, each) for each in given(*history).when(Approve(actor=ALAN)).decided()))


def test_executing_tells_the_version_the_changes_and_the_attempt() -> None:
    _, done = given(*submitted()).when(NOW_RUN).then_kinds(VersionResolved, Executed)
    assert done == executed()
    request = given(*submitted()).when(NOW_RUN).then_request()
    assert (request.status, request.resulting_version, request.attempts) == (Status.EXECUTED, 1, 1)


def test_attempts_are_counted_and_the_last_one_ends_the_request() -> None:
    case = given(*submitted())
    failed = []
    for attempt in (1, 2, 3):
        _, last = case.when(FAILING).then_kinds(VersionResolved, ExecutionFailed)
        failed.append(last)
        case = given(*case.history, last)
        assert last == ExecutionFailed(attempt=attempt, error="ZeroDivisionError: no", final=attempt == 3)
    request = fold(*case.history)
    assert (request.status, request.attempts, request.end_code) == (Status.FAILED, 3, "failed")
    assert request.ended_because == "ZeroDivisionError: no"


def test_attempt_that_works_comes_after_those_that_did_not() -> None:
    failed = ExecutionFailed(attempt=1, error="no", final=False)
    _, done = given(*submitted(), failed).when(NOW_RUN).then_kinds(VersionResolved, Executed)
    assert isinstance(done, Executed)
    assert done.attempt == 2


def test_approvals_survive_a_failed_attempt() -> None:
    failed = ExecutionFailed(attempt=1, error="no", final=False)
    given(*approved(*submitted(approval(role="lead"))), failed).when(NOW_RUN).then_kinds(VersionResolved, Executed)


def test_mutation_that_is_not_the_submitted_one_does_not_run() -> None:
    (first, *rest) = submitted()
    forged = first.model_copy(
        update={"mutation": first.mutation.model_copy(update={"payload": {"user": "mallory"}})}  # type: ignore[union-attr]
    )
    given(forged, *rest).when(NOW_RUN).then_refused(DigestMismatchError, "not the one that was submitted")


@pytest.mark.parametrize(
    "what", ["digest of the requirement", "digest of the grant", "quorum", "change set", "version"]
)
def test_what_was_not_approved_does_not_run(what: str) -> None:
    history = list(approved(*submitted(approval(role="lead"))))
    opened, vote = history[2], history[3]
    assert isinstance(opened, PendingApproval)
    assert isinstance(vote, Told)
    assert isinstance(vote.event, ApprovalGranted)
    assert isinstance(history[1], PoliciesEvaluated)
    forged = "sha256:" + "0" * 64
    match what:
        case "digest of the requirement":
            history[2] = opened.model_copy(update={"digest": forged})
        case "digest of the grant":
            history[3] = by(ALAN, vote.event.model_copy(update={"digest": forged}))
        case "quorum":
            history[2] = opened.model_copy(update={"requirement": approval(group="anybody")})
        case "change set":
            history[1] = history[1].model_copy(update={"change_set": ()})
        case _:
            history[1] = history[1].model_copy(update={"state_version": 5})
    given(*history).when(NOW_RUN).then_refused(DigestMismatchError, request=fold(*history).id)


RENEWED = Execute(actor=WORKER, evaluation=evaluation(BOB, BOB_ADA, version=1), changed_paths=("/admins",))


def test_new_round_asks_the_same_people_about_the_new_version() -> None:
    history = approved(
        *submitted(approval(role="lead", expires_after=HOUR), approval(role="lead", step=2), stale="renew")
    )
    history = (*history, *(by(ALAN, each) for each in given(*history).when(Approve(actor=ALAN)).decided()))
    before = fold(*history)
    request = given(*history).when(RENEWED).then_request()
    assert (request.status, request.round, request.evaluated_version) == (Status.PENDING, 2, 1)
    assert [each.status for each in request.requirements] == ["void", "void", "open", "open"]
    assert [each.id for each in request.current_requirements] == ["2.1", "2.2"]
    assert [each.asked for each in request.current_requirements] == [each.asked for each in before.requirements]
    assert request.current_requirements[0].expires_at == LATER + HOUR
    assert all(each.votes == () for each in request.current_requirements)
    assert {each.digest for each in request.requirements[:2]}.isdisjoint(
        each.digest for each in request.current_requirements
    )
    assert request.digest != before.digest


def test_vote_of_an_earlier_round_counts_for_nothing() -> None:
    history = approved(*submitted(approval(role="lead", quorum=2), stale="renew"))
    history = (*history, *(by(EDSGER, each) for each in given(*history).when(Approve(actor=EDSGER)).decided()))
    renewed = (*history, *given(*history).when(RENEWED).decided())
    given(*renewed).when(Approve(actor=ALAN)).then_kinds(ApprovalGranted)
    once = (*renewed, *(by(ALAN, each) for each in given(*renewed).when(Approve(actor=ALAN)).decided()))
    given(*once).when(Approve(actor=ALAN)).then_refused(AlreadyDecidedError)
    given(*once).when(Approve(actor=EDSGER)).then_kinds(ApprovalGranted, QuorumReached, Approved)
    (withdrawn,) = given(*once).when(Withdraw(actor=ALAN)).decided()
    assert withdrawn.requirement_id == "2.1"  # type: ignore[union-attr]


def test_request_runs_after_its_second_round() -> None:
    history = approved(*submitted(approval(role="lead"), stale="renew"))
    renewed = (*history, *given(*history).when(RENEWED).decided())
    again = (*renewed, *(by(EDSGER, each) for each in given(*renewed).when(Approve(actor=EDSGER)).decided()))
    on_that_version = Execute(actor=WORKER, evaluation=evaluation(BOB, BOB_ADA, version=1, verdicts=None))
    request = given(*again).when(on_that_version).then_request()
    assert (request.status, request.resulting_version, request.round) == (Status.EXECUTED, 2, 2)


def test_renewal_after_an_absolute_deadline_ends_the_request() -> None:
    history = approved(*submitted(approval(role="lead", expires_at=START + HOUR), stale="renew"))
    request = given(*history).when(RENEWED, now=START + HOUR).then_request()
    assert (request.status, request.end_code) == (Status.REJECTED, "approval-expired")


def test_compensation_ends_an_executed_request() -> None:
    history = (*submitted(), executed())
    failed = CompensationFailed(by=OTHER_ID, reason="the state moved")
    request = fold(*history, failed)
    assert (request.status, request.links.compensated_by) == (Status.EXECUTED, None)
    request = fold(*history, failed, Compensated(by=OTHER_ID, kind="corrective", version=7))
    assert (request.status, request.links.compensated_by) == (Status.COMPENSATED, OTHER_ID)
    assert request.resulting_version == 1


def test_every_event_is_a_line_of_the_request_s_own_story() -> None:
    history = (*approved(*submitted(approval(role="lead"))), executed())
    request = fold(*history)
    assert [each.code for each in request.decisions] == [
        "Created", "PoliciesEvaluated", "PendingApproval", "ApprovalGranted", "QuorumReached", "Approved", "Executed",
    ]  # fmt: skip
    assert [each.version for each in request.decisions] == list(range(1, 8))
    assert request.decisions[3].by == ALAN
    assert request.version == 7
    assert evaluation(NOBODY, ADA).change_set == request.change_set


def test_request_that_cannot_be_renewed_keeps_what_was_approved() -> None:
    history = approved(*submitted(approval(role="lead", expires_at=START + HOUR), stale="renew"))
    (resolved, _) = given(*history).when(RENEWED, now=START + HOUR).decided()
    assert isinstance(resolved, VersionResolved)
    assert resolved.outcome == "rejected_as_stale"
    request = given(*history).when(RENEWED, now=START + HOUR).then_request()
    assert [each.status for each in request.requirements] == ["satisfied"]
