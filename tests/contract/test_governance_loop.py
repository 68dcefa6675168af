"""The governed loop on both databases: submitted, approved, executed, told; and what two programs see of each other."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from governance import (
    AlreadyExecutedError,
    ConcurrencyError,
    Context,
    Governance,
    InvalidTransitionError,
    NotAuthorizedError,
    NotFoundError,
    PolicyDeniedError,
    SelfApprovalError,
    StaleError,
    Status,
    UnknownMutationError,
    ValidationFailedError,
    approval,
    deny,
    policy,
    require,
)
from governance.domain.events import StateChanged
from governance.domain.evolution import replay
from tests.cases import ALAN, BARBARA, EDSGER, GRACE, MUTATIONS, ROOT, STATE_ID, WORKER, Add, Counter, GrantAdmin, Roles

pytestmark = pytest.mark.as_application

LEADS = approval(role="lead", quorum=2, expires_after=timedelta(hours=6))


@policy(GrantAdmin)
def two_leads(mutation: GrantAdmin, state: Roles, context: Context) -> object:
    if mutation.user == "mallory":
        return deny("mallory is banned", code="banned")
    return require(LEADS)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, policies=[two_leads]) as gov:
        yield gov


@pytest.fixture
def other(store_url: str, gov: Governance) -> Iterator[Governance]:
    """Another program on the same store."""
    with Governance.open(store_url, mutations=MUTATIONS, policies=[two_leads]) as other:
        yield other


def ask(gov: Governance, user: str = "ada") -> str:
    """Return the id of a request that waits for two leads."""
    return gov.submit(GrantAdmin(user=user), state_id=STATE_ID, actor=GRACE, reason="on call").id


def approve(gov: Governance, request_id: str) -> None:
    """Give both approvals."""
    gov.approve(request_id, actor=ALAN)
    gov.approve(request_id, actor=EDSGER)


def test_request_goes_from_pending_to_executed(gov: Governance) -> None:
    asked = gov.request(ask(gov))
    assert (asked.status, asked.pending_reasons, asked.evaluated_version) == (Status.PENDING, ("approval",), 0)
    with pytest.raises(InvalidTransitionError):
        gov.execute(asked.id, actor=WORKER)
    with pytest.raises(SelfApprovalError):
        gov.approve(asked.id, actor=GRACE)
    approve(gov, asked.id)
    assert gov.state(STATE_ID).version == 0
    outcome = gov.execute(asked.id, actor=WORKER)
    assert outcome.executed
    assert outcome.resolution is not None
    assert (outcome.resolution.outcome, outcome.resolution.expected, outcome.resolution.current) == ("matched", 0, 0)
    assert (outcome.resulting_version, outcome.change_set) == (1, asked.change_set)
    assert outcome.request == gov.request(asked.id)
    state = gov.state(STATE_ID)
    assert (state.version, state.value, state.request_id) == (1, Roles(admins=("ada",)), asked.id)
    with pytest.raises(AlreadyExecutedError):
        gov.execute(asked.id, actor=WORKER)


def test_history_is_the_request(gov: Governance, other: Governance) -> None:
    request_id = ask(gov)
    gov.comment(request_id, actor=BARBARA, text="looks fine")
    approve(gov, request_id)
    gov.execute(request_id, actor=WORKER)
    history = other.history(request_id)
    assert [type(each.event).__name__ for each in history] == [
        "Created", "PoliciesEvaluated", "PendingApproval", "Commented", "ApprovalGranted", "ApprovalGranted",
        "QuorumReached", "Approved", "VersionResolved", "Executed",
    ]  # fmt: skip
    assert [each.version for each in history] == list(range(1, 11))
    positions = [each.position for each in history]
    assert positions == sorted(set(positions), key=lambda each: each or 0)
    assert replay(history) == other.request(request_id) == gov.request(request_id)
    assert [each.by.id for each in history] == ["grace"] * 3 + ["barbara", "alan"] + ["edsger"] * 3 + ["worker"] * 2
    [changed] = other.state_history(STATE_ID)
    assert isinstance(changed.event, StateChanged)
    assert (changed.event.request_id, changed.causation_id) == (request_id, request_id)
    assert changed.append_id == history[-1].append_id
    assert {each.correlation_id for each in (*history, changed)} == {request_id}


def test_position_of_a_request_is_that_of_its_last_event(gov: Governance) -> None:
    request = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    assert request.position == gov.log.head() == gov.history(request.id)[-1].position
    outcome = gov.execute(request.id, actor=WORKER)
    assert outcome.request.position == gov.history(request.id)[-1].position
    assert gov.request(request.id).position == outcome.request.position


def test_refusals_are_facts(gov: Governance, other: Governance) -> None:
    request = gov.submit(GrantAdmin(user="mallory"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert (request.status, request.end_code, request.requirements) == (Status.REJECTED, "policy-denied", ())
    with pytest.raises(PolicyDeniedError, match="mallory is banned"):
        other.request(request.id).raise_if_refused()
    approved = ask(gov)
    approve(gov, approved)
    gov.execute(approved, actor=WORKER)
    again = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert (again.executed, again.request.end_code) == (False, "validation-failed")
    with pytest.raises(ValidationFailedError, match="already an admin"):
        other.request(again.request.id).raise_if_refused()
    other.request(approved).raise_if_refused()


def test_nothing_is_found_where_nothing_is(gov: Governance) -> None:
    unknown = "0198a000-0000-7000-8000-00000000dead"
    head = gov.log.head()
    for call in (
        lambda: gov.request(unknown),
        lambda: gov.history(unknown),
        lambda: gov.approve(unknown, actor=ALAN),
        lambda: gov.execute(unknown, actor=WORKER),
        lambda: gov.preview(unknown),
        lambda: gov.explain(unknown),
        lambda: gov.compensate(unknown, actor=GRACE, reason="r"),
        lambda: gov.cancel(unknown, actor=GRACE),
        lambda: gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r", supersedes=unknown),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert gov.log.head() == head


def test_id_of_a_request_can_be_given_in_every_form(gov: Governance) -> None:
    from uuid import UUID

    request_id = ask(gov)
    for form in (UUID(request_id), request_id.upper(), request_id.replace("-", ""), f"{{{request_id}}}"):
        assert gov.request(form).id == request_id


def test_direct_change_is_the_same_path_in_one_step(gov: Governance) -> None:
    outcome = gov.run(Add(amount=5), state_id="c", actor=GRACE, reason="r")
    assert outcome.executed
    history = gov.history(outcome.request.id)
    assert [type(each.event).__name__ for each in history] == [
        "Created", "PoliciesEvaluated", "Approved", "VersionResolved", "Executed",
    ]  # fmt: skip
    assert len({each.append_id for each in (*history, *gov.state_history("c"))}) == 1
    pending = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert (pending.executed, pending.resolution, pending.request.status) == (False, None, Status.PENDING)


def test_programs_see_what_others_did(gov: Governance, other: Governance) -> None:
    request_id = ask(gov)
    other.approve(request_id, actor=ALAN)
    gov.comment(request_id, actor=BARBARA, text="mine")
    other.approve(request_id, actor=EDSGER)
    assert gov.execute(request_id, actor=WORKER).executed
    with pytest.raises(AlreadyExecutedError):
        other.execute(request_id, actor=WORKER)
    for amount in (1, 2, 3):
        for program in (gov, other):
            assert program.run(Add(amount=amount), state_id="c", actor=GRACE, reason="r").executed
    assert gov.state("c").value == other.state("c").value == Counter(value=12)


def test_refusal_never_comes_from_what_is_only_remembered(gov: Governance, other: Governance) -> None:
    gov.run(GrantAdmin(user="x"), state_id="free", actor=GRACE, reason="r")
    first = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r")
    approve(gov, first.id)
    gov.execute(first.id, actor=WORKER)
    other.compensate(first.id, actor=ROOT, reason="wrong")
    undo = other.request(other.compensate(first.id, actor=ROOT, reason="wrong", kind="restore").id)
    approve(other, undo.id)
    assert other.execute(undo.id, actor=WORKER).executed
    again = gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert again.request.status is Status.PENDING
    gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    other.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    assert gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r", expected_version=2).executed


def test_expected_version_of_a_state_or_request_has_to_hold(gov: Governance, other: Governance) -> None:
    gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    head = gov.log.head()
    for call in (gov.submit, gov.run):
        for wrong in (0, 2):
            with pytest.raises(StaleError):
                call(Add(amount=1), state_id="c", actor=GRACE, reason="r", expected_version=wrong)
    assert gov.log.head() == head
    request_id = ask(gov)
    with pytest.raises(ConcurrencyError):
        gov.approve(request_id, actor=ALAN, expected_version=2)
    other.comment(request_id, actor=BARBARA, text="hm")
    with pytest.raises(ConcurrencyError):
        gov.approve(request_id, actor=ALAN, expected_version=3)
    assert gov.approve(request_id, actor=ALAN, expected_version=4).version == 5


def test_only_requester_and_administrators_take_back(gov: Governance) -> None:
    with pytest.raises(NotAuthorizedError):
        gov.cancel(ask(gov), actor=ALAN)
    assert gov.cancel(ask(gov), actor=GRACE, reason="not needed").status is Status.CANCELED
    assert gov.cancel(ask(gov), actor=ROOT).status is Status.CANCELED


def test_request_takes_the_place_of_another_in_one_step(gov: Governance) -> None:
    old = ask(gov)
    new = gov.submit(GrantAdmin(user="grace"), state_id=STATE_ID, actor=GRACE, reason="better", supersedes=old)
    assert new.links.supersedes == old
    assert gov.request(old).status is Status.SUPERSEDED
    assert gov.request(old).links.superseded_by == new.id
    assert gov.history(old)[-1].append_id == gov.history(new.id)[0].append_id
    head = gov.log.head()
    with pytest.raises(InvalidTransitionError):
        gov.submit(GrantAdmin(user="x"), state_id=STATE_ID, actor=GRACE, reason="r", supersedes=old)
    with pytest.raises(NotAuthorizedError):
        gov.submit(GrantAdmin(user="x"), state_id=STATE_ID, actor=ALAN, reason="r", supersedes=new.id)
    assert gov.log.head() == head


def test_mutation_that_is_not_registered_is_named(gov: Governance, store_url: str) -> None:
    request_id = ask(gov)
    approve(gov, request_id)
    with Governance.open(store_url, mutations=[Add]) as fewer:
        assert fewer.request(request_id).status is Status.APPROVED
        assert len(fewer.history(request_id)) == 7
        for call in (lambda: fewer.execute(request_id, actor=WORKER), lambda: fewer.preview(request_id)):
            with pytest.raises(UnknownMutationError) as caught:
                call()
            assert set(caught.value.ids.values()) & {"grant_admin", "Roles"}
        with pytest.raises(UnknownMutationError):
            fewer.submit(GrantAdmin(user="x"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert gov.execute(request_id, actor=WORKER).executed
