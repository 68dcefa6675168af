"""Drift as approvers see it: what they approved, what would run now, who changed what, and saying yes again to that."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance import (
    AlreadyDecidedError,
    Governance,
    InputError,
    InvalidTransitionError,
    MutationRequest,
    NotAuthorizedError,
    NotFoundError,
    StaleError,
    Status,
    approval,
    policy,
    require,
)
from tests.cases import (
    ALAN,
    BARBARA,
    EDSGER,
    GRACE,
    MUTATIONS,
    START,
    STATE_ID,
    TONY,
    WORKER,
    GrantAdmin,
    RevokeAdmin,
    SetNote,
)

pytestmark = pytest.mark.as_application

LEAD = (approval(role="lead"),)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    ticks = iter(range(10_000))
    with Governance.open(
        store_url, mutations=MUTATIONS, clock=lambda: START + timedelta(seconds=next(ticks))
    ) as governance:
        yield governance


def asked(gov: Governance, user: str = "ada", **given: Any) -> MutationRequest:
    """Return a request that needs a lead and is renewed when it is stale."""
    told = {"state_id": STATE_ID, "actor": GRACE, "reason": "on call", "requires": LEAD, "stale": "renew", **given}
    return gov.submit(GrantAdmin(user=user), **told)


def drift(gov: Governance, user: str = "bob") -> str:
    """Return the id of the request by which tony has moved the state."""
    return gov.run(GrantAdmin(user=user), state_id=STATE_ID, actor=TONY, reason="meanwhile").request.id


def renewed(gov: Governance, **given: Any) -> MutationRequest:
    """Return a request that alan has approved, and that has to be approved again since the state has moved."""
    request = asked(gov, **given)
    gov.approve(request.id, actor=ALAN)
    drift(gov)
    return gov.execute(request.id, actor=WORKER).request


def test_drift_tells_who_changed_what_since_the_approval(gov: Governance) -> None:
    request = asked(gov)
    gov.approve(request.id, actor=ALAN)
    others = [drift(gov, user) for user in ("bob", "carol")]
    head = gov.log.head()
    told = gov.drift(request.id)
    assert (told.approved.version, told.current, told.by) == (0, 2, ("alan",))
    assert [(each.version, each.request_id, each.requester, each.reason) for each in told.changes] == [
        (1, others[0], "tony", "meanwhile"),
        (2, others[1], "tony", "meanwhile"),
    ]
    assert [[change.path for change in each.change_set] for each in told.changes] == [["/admins/-"], ["/admins/-"]]
    assert (told.changed_paths, told.matters, told.same) == (("/admins/-",), True, True)
    assert (told.outcome, told.now and told.now.version) == ("renewal_required", 2)
    assert gov.log.head() == head


def test_drift_shows_what_would_run_beside_what_was_approved(gov: Governance) -> None:
    drift(gov, "ada")
    request = gov.submit(
        RevokeAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="left", requires=LEAD, stale="revalidate"
    )
    gov.approve(request.id, actor=ALAN)
    gov.run(RevokeAdmin(user="ada"), state_id=STATE_ID, actor=TONY, reason="faster")
    told = gov.drift(request.id)
    assert [each.old for each in told.approved.change_set] == ["ada"]
    assert told.now is not None
    assert (told.now.change_set, told.same, told.outcome) == ((), False, "renewal_required")
    assert "/admins/0" in str(told.reason)


def test_drift_elsewhere_does_not_matter(gov: Governance) -> None:
    request = gov.submit(SetNote(note="x"), state_id=STATE_ID, actor=GRACE, reason="r", requires=LEAD, stale="reject")
    gov.approve(request.id, actor=ALAN)
    drift(gov)
    told = gov.drift(request.id)
    assert (told.matters, told.same, told.outcome, len(told.changes)) == (False, True, "matched", 1)
    assert "/note" in str(told.reason)


def test_without_drift_there_is_nothing_to_tell(gov: Governance) -> None:
    told = gov.drift(asked(gov).id)
    assert (told.changes, told.changed_paths, told.matters, told.same, told.by) == ((), (), False, True, ())


def test_executed_request_shows_what_was_approved_and_what_ran(gov: Governance) -> None:
    request = asked(gov, stale="revalidate")
    gov.approve(request.id, actor=ALAN)
    other = drift(gov)
    gov.execute(request.id, actor=WORKER)
    drift(gov, "much later")
    told = gov.drift(request.id)
    assert told.now is not None
    assert (told.approved.version, told.now.version, told.status, told.same) == (0, 1, Status.EXECUTED, True)
    assert [each.request_id for each in told.changes] == [other]


def test_ended_request_tells_what_it_ended_on(gov: Governance) -> None:
    request = asked(gov, stale="reject")
    gov.approve(request.id, actor=ALAN)
    other = drift(gov)
    gov.execute(request.id, actor=WORKER)
    drift(gov, "much later")
    told = gov.drift(request.id)
    assert (told.status, told.now, told.outcome) == (Status.REJECTED, None, None)
    assert [each.request_id for each in told.changes] == [other]


def test_without_the_mutations_the_changes_are_told_all_the_same(gov: Governance, store_url: str) -> None:
    request = asked(gov)
    drift(gov)
    with Governance.open(store_url, mutations=()) as reader:
        told = reader.drift(request.id)
    assert (told.now, told.matters, told.current) == (None, None, 1)
    assert (told.changed_paths, len(told.changes)) == (("/admins/-",), 1)


def test_many_changes_are_counted_and_the_latest_told(gov: Governance) -> None:
    request = asked(gov)
    for number in range(60):
        drift(gov, f"user-{number}")
    told = gov.drift(request.id)
    assert ([told.changes[0].version, told.changes[-1].version], told.left_out) == ([11, 60], 10)


def test_one_sees_what_changed_since_ones_own_yes(gov: Governance) -> None:
    request = asked(gov, requires=(approval(role="lead", quorum=2),))
    gov.approve(request.id, actor=ALAN)
    gov.approve(request.id, actor=EDSGER)
    drift(gov)
    gov.execute(request.id, actor=WORKER)
    gov.approve(request.id, actor=EDSGER)
    drift(gov, "carol")
    assert gov.drift(request.id, actor=ALAN).approved.version == 0
    mine = gov.drift(request.id, actor=EDSGER)
    assert (mine.approved.version, len(mine.changes), mine.asked.round) == (1, 1, 2)
    assert gov.drift(request.id, actor=ALAN).to_confirm == ("2.1",)


def test_yes_is_said_again_in_one_step_to_what_was_seen(gov: Governance) -> None:
    request = renewed(gov)
    told = gov.drift(request.id, actor=ALAN)
    assert told.to_confirm == ("2.1",)
    after = gov.reconfirm(request.id, actor=ALAN, seen=told.digest, comment="still right")
    assert (after.status, after.current_requirements[0].granted_by) == (Status.APPROVED, ("alan",))
    assert after.current_requirements[0].votes[0].digest == after.current_requirements[0].digest
    assert gov.execute(request.id, actor=WORKER).executed


def test_yes_said_again_never_counts_for_what_was_not_seen(gov: Governance) -> None:
    request = renewed(gov)
    old_round = gov.request(request.id, version=4)
    head = gov.log.head()
    for seen in (old_round.digest, "sha256:something else"):
        with pytest.raises(StaleError):
            gov.reconfirm(request.id, actor=ALAN, seen=seen)
    with pytest.raises(InputError):
        gov.reconfirm(request.id, actor=ALAN, seen=None)  # type: ignore[arg-type]
    seen = gov.drift(request.id, actor=ALAN).digest
    assert gov.log.head() == head
    gov.approve(request.id, actor=BARBARA)
    drift(gov, "carol")
    third = gov.execute(request.id, actor=WORKER).request
    assert (third.round, third.status) == (3, Status.PENDING)
    with pytest.raises(StaleError):
        gov.reconfirm(request.id, actor=ALAN, seen=seen)


def test_only_who_said_yes_before_says_it_again_and_only_once(gov: Governance) -> None:
    request = renewed(gov)
    digest = request.digest
    head = gov.log.head()
    for actor in (EDSGER, TONY, GRACE):
        with pytest.raises(NotFoundError):
            gov.reconfirm(request.id, actor=actor, seen=digest)
    with pytest.raises(NotAuthorizedError):
        gov.reconfirm(request.id, actor=ALAN.model_copy(update={"roles": ()}), seen=digest)
    assert gov.log.head() == head
    gov.reconfirm(request.id, actor=ALAN, seen=digest)
    with pytest.raises(InvalidTransitionError):
        gov.reconfirm(request.id, actor=ALAN, seen=digest)


def test_yes_in_the_same_round_is_not_said_again(gov: Governance) -> None:
    request = asked(gov, requires=(approval(role="lead", quorum=2),))
    gov.approve(request.id, actor=ALAN)
    with pytest.raises(NotFoundError):
        gov.reconfirm(request.id, actor=ALAN, seen=request.digest)
    with pytest.raises(AlreadyDecidedError):
        gov.approve(request.id, actor=ALAN)


def test_what_is_asked_for_newly_is_not_confirmed_with_the_rest(gov: Governance) -> None:
    request = asked(gov)
    gov.approve(request.id, actor=ALAN)
    gov.register_policies(policy(GrantAdmin, name="security")(lambda *_: require(approval(group="security"))))
    drift_by = gov.submit(GrantAdmin(user="bob"), state_id=STATE_ID, actor=TONY, reason="meanwhile")
    gov.approve(drift_by.id, actor=BARBARA)
    gov.execute(drift_by.id, actor=WORKER)
    again = gov.execute(request.id, actor=WORKER).request
    alan = ALAN.model_copy(update={"groups": ("security",)})
    after = gov.reconfirm(request.id, actor=alan, seen=again.digest)
    assert [(each.id, each.granted_by) for each in after.current_requirements] == [("2.1", ("alan",)), ("2.2", ())]
    assert after.status is Status.PENDING
