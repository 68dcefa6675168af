"""What should have put a request right and did not: recorded, owned by somebody, and possible again."""

from collections.abc import Callable, Iterator

import pytest

from governance import (
    Governance,
    InvalidTransitionError,
    MutationRequest,
    Status,
    approval,
    deny,
    policy,
    require,
)
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, TONY, WORKER, Add, Counter, SetNote
from tests.clocks import Clock

pytestmark = pytest.mark.as_application


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def done(gov: Governance, amount: int = 5) -> str:
    """Return the id of a request of grace that has run."""
    return gov.run(Add(amount=amount), state_id="c", actor=GRACE, reason="r").request.id


def waiting(gov: Governance) -> tuple[str, MutationRequest]:
    """Return an executed request and the compensation for which tony waits."""
    original = done(gov)
    gov.register_policies(policy(Add, name="undoing")(lambda *_: require(approval(role="lead", expires_after=HOUR))))
    return original, gov.compensate(original, actor=TONY, reason="wrong")


def expired(gov: Governance, clock: Clock, undo: str) -> MutationRequest:
    """Let the time to approve pass."""
    clock.pass_time(2 * HOUR)
    return gov.expire(undo)


ENDS: dict[str, tuple[Callable[[Governance, Clock, str], object], str]] = {
    "rejected": (lambda gov, clock, undo: gov.reject(undo, actor=ALAN, reason="leave it"), "leave it"),
    "canceled": (lambda gov, clock, undo: gov.cancel(undo, actor=TONY, reason="never mind"), "never mind"),
    "too late to approve": (expired, "1.1"),
    "superseded": (
        lambda gov, clock, undo: gov.supersede(
            undo, by=gov.submit(Add(amount=1), state_id="c", actor=TONY, reason="r").id, actor=TONY
        ),
        "took its place",
    ),
    "superseded at once": (
        lambda gov, clock, undo: gov.submit(Add(amount=1), state_id="c", actor=TONY, reason="r", supersedes=undo),
        "took its place",
    ),
}


@pytest.mark.parametrize("how", ENDS)
def test_compensation_that_ends_without_running_leaves_the_original_to_its_requester(
    gov: Governance, clock: Clock, how: str
) -> None:
    original, undo = waiting(gov)
    end, why = ENDS[how]
    end(gov, clock, undo.id)
    told = gov.request(original)
    assert (told.status, told.decisions[-1].code) == (Status.EXECUTED, "CompensationFailed")
    assert told.compensation_failure is not None
    assert (told.compensation_failure.by, told.compensation_failure.owner) == (undo.id, "tony")
    assert why in told.compensation_failure.reason
    assert gov.history(original)[-1].append_id == gov.history(undo.id)[-1].append_id
    assert "tony has to see to it" in gov.explain(original).text
    again = gov.compensate(original, actor=TONY, reason="still wrong")
    gov.approve(again.id, actor=ALAN)
    assert gov.execute(again.id, actor=WORKER).executed
    told = gov.request(original)
    assert (told.status, told.compensation_failure) == (Status.COMPENSATED, None)


def test_compensation_that_a_policy_refuses_at_once_leaves_the_original_too(gov: Governance) -> None:
    original = done(gov)
    gov.register_policies(policy(Add, name="frozen")(lambda *_: deny("in december")))
    undo = gov.compensate(original, actor=TONY, reason="wrong")
    told = gov.request(original)
    assert (undo.status, told.status) == (Status.REJECTED, Status.EXECUTED)
    assert told.compensation_failure is not None
    assert "in december" in told.compensation_failure.reason
    assert gov.history(original)[-1].append_id == gov.history(undo.id)[-1].append_id


def test_what_was_put_right_meanwhile_has_not_failed(gov: Governance) -> None:
    original = done(gov)
    first, second = (gov.compensate(original, actor=TONY, reason="r") for _ in range(2))
    gov.execute(first.id, actor=WORKER)
    gov.cancel(second.id, actor=TONY)
    assert gov.request(original).compensation_failure is None
    assert gov.request(original).decisions[-1].code == "Compensated"


def test_automatic_compensation_runs_what_needs_nobody_once(gov: Governance) -> None:
    original = done(gov)
    first = gov.compensate_automatically(original, reason="mail was never delivered", key="effect-1")
    assert (first.done, first.waits, first.failure) == (True, False, None)
    assert first.compensation is not None
    assert first.compensation.compensation is not None
    assert (first.compensation.compensation.trigger, first.original.status) == ("automatic", Status.COMPENSATED)
    head = gov.log.head()
    again = gov.compensate_automatically(original, reason="mail was never delivered", key="effect-1")
    assert (again.done, again.compensation and again.compensation.id) == (True, first.compensation.id)
    assert (gov.log.head(), gov.state("c").value) == (head, Counter(value=0))


def test_automatic_compensation_without_an_inverse_puts_the_earlier_value_back(gov: Governance) -> None:
    original = gov.run(SetNote(note="x"), state_id="r", actor=GRACE, reason="r").request.id
    put = gov.compensate_automatically(original, reason="undeliverable", key="k")
    assert (put.done, gov.state("r").value.note) == (True, "")


def test_automatic_compensation_asks_whoever_has_to_approve(gov: Governance) -> None:
    original, _ = waiting(gov)
    put = gov.compensate_automatically(original, reason="undeliverable", key="k")
    again = gov.compensate_automatically(original, reason="undeliverable", key="k")
    assert (put.waits, again.waits) == (True, True)
    assert put.compensation is not None
    assert again.compensation == put.compensation
    gov.reject(put.compensation.id, actor=ALAN, reason="leave it")
    failure = gov.request(original).compensation_failure
    assert failure is not None
    assert failure.owner == "grace"


def test_what_has_no_way_back_is_recorded_once_and_belongs_to_its_requester(gov: Governance) -> None:
    original = gov.run(SetNote(note="x"), state_id="r", actor=GRACE, reason="r").request.id
    gov.run(SetNote(note="y"), state_id="r", actor=TONY, reason="r")
    put = gov.compensate_automatically(original, reason="undeliverable", key="k")
    assert (put.done, put.compensation, put.original.status) == (False, None, Status.EXECUTED)
    assert put.original.compensation_failure is not None
    assert (put.original.compensation_failure.by, put.original.compensation_failure.owner) == (None, "grace")
    head = gov.log.head()
    assert gov.compensate_automatically(original, reason="undeliverable", key="k").failure == put.failure
    assert gov.log.head() == head


def test_only_what_was_executed_is_put_right_automatically(gov: Governance) -> None:
    asked = gov.submit(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    with pytest.raises(InvalidTransitionError):
        gov.compensate_automatically(asked.id, reason="r", key="k")
