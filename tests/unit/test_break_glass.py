"""Break-glass: running without approvals, by a right of its own, and reviewed by somebody else."""

from datetime import timedelta

import pytest

from governance import (
    Actor,
    AlreadyDecidedError,
    ApprovalExpiredError,
    InvalidTransitionError,
    NotAuthorizedError,
    SelfApprovalError,
    Status,
    approval,
)
from governance.domain.approval_events import GlassBroken, Reviewed
from governance.domain.commands import BreakGlass, Execute, Review
from governance.domain.events import Approved, Executed, RequestEvent, VersionResolved
from tests.cases import ALAN, GRACE, HOUR, ROOT, START, WORKER, evaluation, executed, granted, submitted
from tests.spec import LATER, Told, by, given

TWO_LEADS = submitted(approval(role="lead", quorum=2, expires_after=HOUR))
NORA = Actor(id="nora", roles=("break-glass", "review"))
RITA = Actor(id="rita", roles=("review",))


def breaking(actor: Actor) -> BreakGlass:
    return BreakGlass(actor=actor, reason="the site is down", permission="break-glass", review_after=timedelta(days=1))


def reviewing(actor: Actor, *, justified: bool = True) -> Review:
    return Review(actor=actor, justified=justified, comment="it was down", permission="review")


def broken() -> tuple[RequestEvent | Told, ...]:
    glass = GlassBroken(reason="the site is down", requirements=("1.1",), review_until=LATER + timedelta(days=1))
    return (*TWO_LEADS, by(NORA, glass), by(NORA, Approved(round=1)))


def test_holder_of_the_right_lets_a_request_run_and_opens_a_review() -> None:
    given(*TWO_LEADS).when(breaking(NORA)).then(
        GlassBroken(reason="the site is down", requirements=("1.1",), review_until=LATER + timedelta(days=1)),
        Approved(round=1),
    )


@pytest.mark.parametrize("actor", [GRACE, ALAN, ROOT, WORKER])
def test_nobody_else_breaks_the_glass_not_even_an_administrator(actor: Actor) -> None:
    given(*TWO_LEADS).when(breaking(actor)).then_refused(NotAuthorizedError, actor=actor.id)


def test_glass_is_broken_for_what_is_pending_only() -> None:
    given(*submitted()).when(breaking(NORA)).then_refused(InvalidTransitionError)
    given(*submitted(), executed()).when(breaking(NORA)).then_refused(InvalidTransitionError)


def test_glass_is_not_broken_after_the_deadline() -> None:
    given(*TWO_LEADS).when(breaking(NORA), now=START + HOUR).then_refused(ApprovalExpiredError)


def test_what_is_behind_glass_runs_without_its_approvals() -> None:
    command = Execute(actor=WORKER, evaluation=evaluation(verdicts=None))
    given(*broken()).when(command).then_kinds(VersionResolved, Executed)


def test_glass_holds_for_its_round_only() -> None:
    moved = evaluation(before={"admins": ["bob"], "note": ""}, after={"admins": ["bob", "ada"], "note": "x"}, version=1)
    request = given(*broken()).when(Execute(actor=WORKER, evaluation=moved)).then_request()
    assert (request.status, request.round, request.behind_glass) == (Status.PENDING, 2, False)


def test_somebody_else_closes_the_review() -> None:
    given(*broken(), executed()).when(reviewing(RITA, justified=False)).then(
        Reviewed(reviewer="rita", justified=False, comment="it was down")
    )
    request = given(*broken(), executed()).when(reviewing(ROOT)).then_request()
    assert request.glass_break is not None
    assert (request.glass_break.reviewed_by, request.glass_break.justified, request.status) == (
        "root",
        True,
        "executed",
    )


@pytest.mark.parametrize("actor", [NORA, GRACE, Actor(id="bot", roles=("review",), on_behalf_of="nora")])
def test_who_had_a_part_in_it_does_not_review_it(actor: Actor) -> None:
    given(*broken()).when(reviewing(actor)).then_refused(SelfApprovalError)


def test_review_takes_a_right_too() -> None:
    given(*broken()).when(reviewing(ALAN)).then_refused(NotAuthorizedError, actor="alan")


def test_review_is_closed_once() -> None:
    closed = by(RITA, Reviewed(reviewer="rita", justified=True, comment="fine"))
    given(*broken(), closed).when(reviewing(ROOT)).then_refused(AlreadyDecidedError)


def test_there_is_nothing_to_review_where_no_glass_was_broken() -> None:
    given(*TWO_LEADS, by(ALAN, granted(TWO_LEADS, ALAN))).when(reviewing(RITA)).then_refused(InvalidTransitionError)
