"""Who may decide: by role, group or name, in their step, and never on their own request."""

import pytest

from governance import (
    Actor,
    NotAuthorizedError,
    NotFoundError,
    OutOfStepError,
    RejectionReason,
    SelfApprovalError,
    group,
    role,
)
from governance import approval as needs
from governance.domain.commands import Approve, Command, Reject
from governance.domain.events import ApprovalGranted, Approved, QuorumReached, Rejected
from governance.domain.requirements import Requirement
from tests.cases import ALAN, BARBARA, EDSGER, GRACE, TONY, granted, submitted
from tests.spec import by, given


def both(actor: Actor, requirement: str | None = None) -> list[Command]:
    """Return the two ways to decide."""
    return [
        Approve(actor=actor, requirement=requirement),
        Reject(actor=actor, requirement=requirement, rejection=RejectionReason()),
    ]


ENTITLED: list[tuple[str, Requirement, Actor]] = [
    ("role", needs(role="lead"), ALAN),
    ("one of several roles", needs(role=["auditor", "lead"]), ALAN),
    ("group", needs(group="security"), BARBARA),
    ("name", needs(actor="tony"), TONY),
    ("name of the person acted for", needs(actor="tony"), Actor(id="secretary", on_behalf_of="tony")),
    ("mixture: name", needs(any_of=[role("lead"), group("security"), "tony"]), TONY),
    ("mixture: group", needs(actor="x", role="y", group="security"), BARBARA),
]

NOT_ENTITLED: list[tuple[str, Requirement, Actor]] = [
    ("no role", needs(role="lead"), TONY),
    ("other role", needs(role="auditor"), ALAN),
    ("role like the group", needs(group="lead"), ALAN),
    ("group like the role", needs(role="security"), BARBARA),
    ("id like the role", needs(role="lead"), Actor(id="lead")),
    ("role like the id", needs(actor="lead"), ALAN),
    ("other case", needs(role="Lead"), ALAN),
    ("longer", needs(role="lead "), ALAN),
    ("composed otherwise", needs(role="l\u00e9ad"), Actor(id="x", roles=("le\u0301ad",))),
    ("delegate in their own name", needs(actor="tony"), Actor(id="secretary")),
    ("named, but acting for somebody else", needs(actor="tony"), Actor(id="tony", on_behalf_of="boss")),
    ("administrator", needs(role="lead"), Actor(id="root", kind="administrator")),
]


@pytest.mark.parametrize(("asked", "actor"), [each[1:] for each in ENTITLED], ids=[each[0] for each in ENTITLED])
def test_who_is_asked_for_may_decide(asked: Requirement, actor: Actor) -> None:
    history = submitted(asked)
    given(*history).when(Approve(actor=actor)).then_kinds(ApprovalGranted, QuorumReached, Approved)
    assert given(*history).when(both(actor)[1]).decided()[-1:] == (
        Rejected(code="approval-rejected", reason=f"{actor.person}: rejected"),
    )


@pytest.mark.parametrize(
    ("asked", "actor"), [each[1:] for each in NOT_ENTITLED], ids=[each[0] for each in NOT_ENTITLED]
)
def test_who_is_not_asked_for_may_not_decide(asked: Requirement, actor: Actor) -> None:
    for command in both(actor):
        given(*submitted(asked)).when(command).then_refused(NotAuthorizedError, actor=actor.id, requirement="1.1")


OWN: list[tuple[str, Actor, Actor]] = [
    ("the requester", GRACE, Actor(id="grace", roles=("lead",))),
    ("the requester with other attributes", GRACE, Actor(id="grace", roles=("lead",), kind="administrator")),
    ("who acts for the requester", GRACE, Actor(id="alan", roles=("lead",), on_behalf_of="grace")),
    ("the requester acting for another", GRACE, Actor(id="grace", roles=("lead",), on_behalf_of="alan")),
    ("the person the request was made for", Actor(id="bot", on_behalf_of="alan"), ALAN),
    ("who made the request for another", Actor(id="alan", on_behalf_of="grace"), ALAN),
    ("who acts for whom the request was made for", Actor(id="bot", on_behalf_of="alan"),
     Actor(id="edsger", roles=("lead",), on_behalf_of="alan")),
    ("two delegates of one person", Actor(id="bot-1", on_behalf_of="alan"),
     Actor(id="bot-2", roles=("lead",), on_behalf_of="alan")),
]  # fmt: skip


@pytest.mark.parametrize(("requester", "actor"), [each[1:] for each in OWN], ids=[each[0] for each in OWN])
def test_nobody_decides_on_their_own_request(requester: Actor, actor: Actor) -> None:
    history = submitted(needs(role="lead"), requester=requester)
    for command in both(actor):
        given(*history).when(command).then_refused(SelfApprovalError, actor=actor.id)


def test_own_request_is_told_before_all_other_reasons() -> None:
    history = submitted(needs(role="auditor"), needs(role="lead", step=2))
    given(*history).when(Approve(actor=GRACE)).then_refused(SelfApprovalError)


STEPS = submitted(needs(role="lead", step=2), needs(role="auditor", step=1), needs(group="security", step=7))


def test_steps_open_in_their_order_whatever_the_order_of_asking() -> None:
    request = given(*STEPS).when(Approve(actor=Actor(id="kathleen", roles=("auditor",)))).then_request()
    assert [each.approval.step for each in request.requirements] == [1, 2, 7]
    assert [each.status for each in request.requirements] == ["satisfied", "open", "open"]


@pytest.mark.parametrize("key", [None, "1.2"])
def test_later_step_has_to_wait(key: str | None) -> None:
    for command in both(ALAN, key):
        given(*STEPS).when(command).then_refused(OutOfStepError, requirement="1.2", step="1")


def test_next_step_is_the_next_that_was_asked_for() -> None:
    auditor = Actor(id="kathleen", roles=("auditor",))
    first = (by(auditor, granted(STEPS, auditor, 1)), QuorumReached(requirement_id="1.1", approvers=("kathleen",)))
    given(*STEPS, *first).when(Approve(actor=ALAN)).then_kinds(ApprovalGranted, QuorumReached)
    second = (by(ALAN, granted(STEPS, ALAN, 2)), QuorumReached(requirement_id="1.2", approvers=("alan",)))
    given(*STEPS, *first, *second).when(Approve(actor=BARBARA)).then_kinds(ApprovalGranted, QuorumReached, Approved)


def test_one_yes_does_not_reach_into_the_next_step() -> None:
    given(*STEPS).when(Approve(actor=EDSGER)).then_kinds(ApprovalGranted, QuorumReached)
    request = given(*STEPS).when(Approve(actor=EDSGER)).then_request()
    assert [len(each.votes) for each in request.requirements] == [1, 0, 0]


def test_same_person_may_decide_in_each_step() -> None:
    first = (by(EDSGER, granted(STEPS, EDSGER, 1)), QuorumReached(requirement_id="1.1", approvers=("edsger",)))
    given(*STEPS, *first).when(Approve(actor=EDSGER)).then_kinds(ApprovalGranted, QuorumReached)


@pytest.mark.parametrize("key", ["1.9", "2.1", "nonsense"])
def test_unknown_requirement_is_not_found(key: str) -> None:
    for command in both(ALAN, requirement=key):
        given(*submitted(needs(role="lead"))).when(command).then_refused(NotFoundError)
