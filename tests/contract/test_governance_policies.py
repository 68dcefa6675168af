"""Policies through the whole of the product: async, amendments, late registration, and what is recorded of them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from governance import (
    ConfigurationError,
    Context,
    DirectoryUnavailableError,
    Governance,
    NotAuthorizedError,
    Policy,
    PolicyDeniedError,
    SelfApprovalError,
    StaticDirectory,
    Status,
    all_of,
    allow,
    amend,
    approval,
    deny,
    policy,
    require,
    role,
)
from governance.domain.events import Amended, PoliciesEvaluated
from tests.cases import ALAN, BARBARA, EDSGER, GRACE, MUTATIONS, STATE_ID, TONY, WORKER, GrantAdmin, RevokeAdmin, Roles

pytestmark = pytest.mark.as_application

Mutated = Any


@pytest.fixture
def opened(store_url: str) -> Iterator[Any]:
    opened: list[Governance] = []

    def open_with(*policies: Policy, **others: Any) -> Governance:
        governance = Governance.open(store_url, mutations=MUTATIONS, policies=policies, **others)
        opened.append(governance)
        return governance

    yield open_with
    for each in opened:
        each.close()


@policy(GrantAdmin)
def lower_case(mutation: GrantAdmin, state: Roles, context: Context) -> Any:
    """Write names in lower case."""
    lowered = GrantAdmin(user=mutation.user.lower())
    return allow() if lowered == mutation else amend(lowered, reason="names are lower case")


@policy(GrantAdmin)
def one_lead(mutation: GrantAdmin, state: Roles, context: Context) -> Any:
    """Ask for a lead."""
    return require(approval(role="lead"))


def asked(governance: Governance, user: str = "ada", **others: Any) -> Any:
    return governance.submit(GrantAdmin(user=user), state_id=STATE_ID, actor=GRACE, reason="on call", **others)


def test_what_is_amended_is_what_is_approved_and_what_runs(opened: Any) -> None:
    gov = opened(lower_case, one_lead)
    request = asked(gov, "ADA")
    assert request.mutation.payload == {"user": "ada"}
    assert [change.new for change in request.change_set] == ["ada"]
    gov.approve(request.id, actor=ALAN, seen=request.digest)
    assert gov.execute(request.id, actor=WORKER).executed
    assert gov.state(STATE_ID).value == Roles(admins=("ada",))


def test_amendment_is_an_event_before_any_approval_and_names_its_policy(opened: Any) -> None:
    gov = opened(lower_case, one_lead)
    events = [each.event for each in gov.history(asked(gov, "ADA").id)]
    names = [type(event).__name__ for event in events]
    assert names == ["Created", "PoliciesEvaluated", "Amended", "PoliciesEvaluated", "PendingApproval"]
    amended = next(event for event in events if isinstance(event, Amended))
    assert (amended.policies, amended.mutation.payload) == (("lower_case",), {"user": "ada"})


def test_policies_that_amend_for_ever_are_a_denial(opened: Any) -> None:
    @policy(GrantAdmin)
    def longer(mutation: GrantAdmin, state: Roles, context: Context) -> Any:
        return amend(GrantAdmin(user=f"{mutation.user}a"))

    request = asked(opened(longer))
    assert (request.status, request.verdicts[-1].code) == (Status.REJECTED, "policy-amends-endlessly")
    with pytest.raises(PolicyDeniedError):
        request.raise_if_refused()


def test_two_amendments_that_differ_are_a_denial_that_names_both(opened: Any) -> None:
    @policy(GrantAdmin)
    def always_bob(mutation: GrantAdmin, state: Roles, context: Context) -> Any:
        return amend(GrantAdmin(user="bob"))

    request = asked(opened(lower_case, always_bob), "ADA")
    assert request.status is Status.REJECTED
    assert "always_bob" in str(request.ended_because)
    assert "lower_case" in str(request.ended_because)


def test_new_amendment_after_drift_opens_a_new_round(opened: Any) -> None:
    @policy(GrantAdmin)
    def nobody_beside_bob(mutation: GrantAdmin, state: Roles, context: Context) -> Any:
        return amend(GrantAdmin(user="carol")) if "bob" in state.admins and mutation.user != "carol" else allow()

    gov = opened(nobody_beside_bob, one_lead)
    request = asked(gov, "ada")
    gov.approve(request.id, actor=ALAN)
    bob = asked(gov, "bob")
    gov.approve(bob.id, actor=ALAN)
    gov.execute(bob.id, actor=WORKER)
    outcome = gov.execute(request.id, actor=WORKER)
    assert outcome.resolution is not None
    assert (outcome.executed, outcome.resolution.outcome) == (False, "renewal_required")
    assert outcome.request.mutation.payload == {"user": "carol"}
    gov.approve(request.id, actor=EDSGER)
    assert gov.execute(request.id, actor=WORKER).executed
    assert gov.state(STATE_ID).value.admins == ("bob", "carol")


def test_async_policies_are_asked_at_the_same_time(opened: Any) -> None:
    meeting = asyncio.Event()

    @policy(name="first")
    async def first(mutation: Mutated, state: Roles, context: Context) -> Any:
        await asyncio.wait_for(meeting.wait(), 5)
        return allow()

    @policy(name="second")
    async def second(mutation: Mutated, state: Roles, context: Context) -> Any:
        meeting.set()
        return require(approval(role="lead"))

    assert asked(opened(first, second)).pending_reasons == ("approval",)


def test_policy_out_of_time_is_a_denial_with_its_own_code(opened: Any) -> None:
    @policy(timeout=0.02)
    async def for_ever(mutation: Mutated, state: Roles, context: Context) -> Any:
        await asyncio.sleep(60)

    request = asked(opened(all_of("nested", for_ever, timeout=0.02), one_lead))
    assert request.status is Status.REJECTED
    assert next(each.code for each in request.verdicts if each.decision == "deny") == "policy-timeout"


def test_policies_registered_later_count_at_once_and_change_the_name_of_the_set(opened: Any) -> None:
    gov = opened()
    before = asked(gov, mode="simulate")
    gov.register_policies(one_lead)
    after = asked(gov, mode="simulate")
    assert (before.status, after.status) == (Status.APPROVED, Status.PENDING)
    assert before.policy_set != after.policy_set
    with pytest.raises(ConfigurationError):
        gov.register_policies(one_lead)


def test_what_each_policy_said_is_recorded_with_its_time(opened: Any) -> None:
    gov = opened(lower_case, one_lead, policy(name="no")(lambda *_: deny("never", code="x", severity="critical")))
    request = asked(gov)
    (evaluated,) = [e.event for e in gov.history(request.id) if isinstance(e.event, PoliciesEvaluated)]
    assert [(each.policy, each.decision, each.code) for each in evaluated.verdicts] == [
        ("lower_case", "allow", None),
        ("no", "deny", "x"),
        ("one_lead", "require", None),
    ]
    assert all(each.took_ms >= 0 for each in evaluated.verdicts)


def test_restoring_is_judged_by_the_policies_of_what_it_undoes(opened: Any) -> None:
    @policy(RevokeAdmin)
    def revoking_takes_a_lead(mutation: RevokeAdmin, state: Roles, context: Context) -> Any:
        return require(approval(role="lead")) if context.compensates else allow()

    gov = opened(revoking_takes_a_lead)
    gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="first")
    revoked = gov.run(RevokeAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="second").request
    restoring = gov.compensate(revoked.id, actor=GRACE, reason="wrong", kind="restore")
    assert (restoring.status, restoring.change_set[0].new) == (Status.PENDING, "ada")


def test_roles_come_from_the_directory_at_the_moment_of_the_decision(opened: Any) -> None:
    members = {"lead": ["alan", "edsger"]}
    gov = opened(one_lead, directory=StaticDirectory(roles=members))
    request = asked(gov)
    with pytest.raises(NotAuthorizedError):
        gov.approve(request.id, actor=BARBARA)
    with pytest.raises(SelfApprovalError):
        gov.approve(request.id, actor=GRACE)
    (explained,) = gov.explain(request.id, actor=TONY).requirements
    assert (explained.people, explained.actor_may) == (("alan", "edsger"), False)
    approved = gov.approve(request.id, actor=ALAN.model_copy(update={"roles": ()}))
    assert approved.status is Status.APPROVED
    assert gov.history(request.id)[-1].by.roles == ("lead",)


def test_requirement_that_nobody_in_the_directory_can_fill_is_refused_at_submit(opened: Any) -> None:
    gov = opened(directory=StaticDirectory(roles={"lead": ["grace", "alan"]}))
    before = gov.log.head()
    with pytest.raises(ConfigurationError):
        asked(gov, requires=(approval(any_of=(role("lead"),), quorum=2),))
    assert gov.log.head() == before


def test_directory_that_does_not_answer_refuses_and_stores_nothing(opened: Any) -> None:
    class Broken:
        async def members(self, kind: str, name: str) -> frozenset[str]:
            raise ConnectionError("no route")

    gov = opened()
    request = asked(gov, requires=(approval(role="lead"),))
    broken = opened(directory=Broken())
    head = gov.log.head()
    with pytest.raises(DirectoryUnavailableError):
        broken.approve(request.id, actor=ALAN)
    with pytest.raises(DirectoryUnavailableError):
        asked(broken, requires=(approval(role="lead"),))
    assert gov.log.head() == head
