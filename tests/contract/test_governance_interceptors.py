"""Interceptors: before, after, failed, blocked; in order, for their mutations; none changes what was done."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from governance import (
    Call,
    ConfigurationError,
    Governance,
    InputError,
    InterceptedError,
    Interceptor,
    InvalidTransitionError,
    Outcome,
    Settings,
    Status,
    approval,
)
from governance.domain.events import InterceptorFailed
from tests.cases import ALAN, GRACE, MUTATIONS, STATE_ID, TONY, WORKER, Add, Counter, GrantAdmin, SetNote

pytestmark = pytest.mark.as_application

Told = list[tuple[str, ...]]


class MuteError(Exception):
    """Cannot even say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError


class Telling(Interceptor):
    """Tells what it is called for, and raises where it is told to."""

    def __init__(self, told: Told, name: str, order: int = 0, mutations: Any = None, raises: str = "",
                 error: BaseException | None = None) -> None:  # fmt: skip
        self._told = told
        self.name = name
        self.order = order
        self.mutations = mutations
        self._raises = raises
        self._error = error or OSError(f"no {raises}")

    def before(self, call: Call) -> None:
        self._tell("before", call.actor.id)

    def after(self, call: Call, outcome: Outcome) -> None:
        assert outcome.executed
        self._tell("after", str(outcome.resulting_version))

    def failed(self, call: Call, error: str) -> None:
        self._tell("failed", error)

    def blocked(self, call: Call, reason: str) -> None:
        self._tell("blocked", reason)

    def _tell(self, hook: str, what: str) -> None:
        self._told.append((self.name, hook, what))
        if self._raises == hook:
            raise self._error


Open = Callable[..., tuple[Governance, Told]]


@pytest.fixture
def opened(store_url: str) -> Iterator[Open]:
    """Give what opens the store with interceptors, and what they told."""
    stores: list[Governance] = []

    def open_with(*given: dict[str, Any]) -> tuple[Governance, Told]:
        told: Told = []
        gov = Governance.open(store_url, mutations=MUTATIONS, interceptors=[Telling(told, **each) for each in given])
        stores.append(gov)
        return gov, told

    yield open_with
    for each in stores:
        each.close()


def asked(gov: Governance, amount: int = 1, **given: Any) -> str:
    return gov.submit(Add(amount=amount), state_id="c", actor=GRACE, reason="r", **given).id


def test_hooks_surround_the_execution_in_order(opened: Open) -> None:
    gov, told = opened({"name": "inner", "order": 2}, {"name": "outer", "order": 1})
    gov.execute(asked(gov), actor=WORKER)
    assert told == [
        ("outer", "before", "worker"),
        ("inner", "before", "worker"),
        ("inner", "after", "1"),
        ("outer", "after", "1"),
    ]


def test_hooks_are_for_their_mutations_only(opened: Open) -> None:
    gov, told = opened({"name": "named", "mutations": ["set_note"]}, {"name": "typed", "mutations": [GrantAdmin]})
    gov.execute(asked(gov), actor=WORKER)
    assert told == []
    gov.run(SetNote(note="x"), state_id=STATE_ID, actor=GRACE, reason="r")
    gov.run(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r")
    assert [each[:2] for each in told] == [
        ("named", "before"),
        ("named", "after"),
        ("typed", "before"),
        ("typed", "after"),
    ]


def test_what_raises_before_blocks_by_its_name_and_nothing_is_stored(opened: Open) -> None:
    gov, told = opened({"name": "first"}, {"name": "guard", "order": 1, "raises": "before"})
    request = asked(gov)
    head = gov.log.head()
    with pytest.raises(InterceptedError, match="guard") as caught:
        gov.execute(request, actor=WORKER)
    assert caught.value.ids == {"request": request, "interceptor": "guard"}
    assert isinstance(caught.value.__cause__, OSError)
    assert told[-1] == ("first", "blocked", "interceptor guard blocked it: OSError: no before")
    assert (gov.log.head(), gov.request(request).status) == (head, Status.APPROVED)
    with pytest.raises(InterceptedError):
        gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    assert gov.log.head() == head


@pytest.mark.parametrize("way", ["execute", "run"])
def test_what_raises_after_is_recorded_and_changes_nothing(opened: Open, way: str) -> None:
    gov, told = opened({"name": "first"}, {"name": "notify", "order": 1, "raises": "after"})
    if way == "run":
        outcome = gov.run(Add(amount=1), state_id="c", actor=GRACE, reason="r")
    else:
        outcome = gov.execute(asked(gov), actor=WORKER)
    assert outcome.executed
    recorded = gov.history(outcome.request.id)[-1].event
    assert recorded == InterceptorFailed(interceptor="notify", stage="after", error="OSError: no after")
    assert (gov.request(outcome.request.id).status, gov.state("c").value) == (Status.EXECUTED, Counter(value=1))
    assert told[-1] == ("first", "after", "1")


def test_mutation_that_raises_calls_failed(opened: Open) -> None:
    gov, told = opened({"name": "watch", "raises": "failed"})
    request = asked(gov, 1)
    gov.catalog.mutations["add"].apply = _raising(Add.apply)  # type: ignore[method-assign]
    try:
        outcome = gov.execute(request, actor=WORKER)
    finally:
        Add.apply = _raising.original  # type: ignore[attr-defined, method-assign]
    assert (outcome.executed, outcome.failure) == (False, "ZeroDivisionError: no")
    assert told[-1] == ("watch", "failed", "ZeroDivisionError: no")
    assert [each.code for each in gov.request(request).decisions[-2:]] == ["ExecutionFailed", "InterceptorFailed"]
    assert gov.request(request).status is Status.APPROVED


def _raising(original: Any) -> Any:
    _raising.original = original  # type: ignore[attr-defined]

    def apply(self: Any, state: Any) -> Any:
        msg = "no"
        raise ZeroDivisionError(msg)

    return apply


def test_what_does_not_come_to_run_calls_blocked(opened: Open) -> None:
    gov, told = opened({"name": "watch", "mutations": [GrantAdmin]})
    request = gov.submit(GrantAdmin(user="ada"), state_id=STATE_ID, actor=GRACE, reason="r", stale="reject").id
    gov.run(SetNote(note="x"), state_id=STATE_ID, actor=TONY, reason="drift")
    assert not gov.execute(request, actor=WORKER).executed
    assert [each[1] for each in told] == ["before", "blocked"]
    assert "moved from version 0 to 1" in told[-1][2]


def test_what_may_not_be_executed_calls_nothing(opened: Open) -> None:
    gov, told = opened({"name": "watch"})
    waiting = asked(gov, requires=(approval(role="lead"),))
    with pytest.raises(InvalidTransitionError):
        gov.execute(waiting, actor=WORKER)
    gov.approve(waiting, actor=ALAN)
    gov.preview(waiting)
    assert told == []


def test_batches_and_compensations_are_intercepted_too(opened: Open) -> None:
    gov, told = opened({"name": "watch"})
    items = [{"mutation": Add(amount=1), "state_id": f"c-{number}"} for number in range(2)]
    together = gov.submit_batch(items, atomic=True, actor=GRACE, reason="r")
    gov.execute_batch(together.id, actor=WORKER)
    assert [each[1] for each in told] == ["before", "before", "after", "after"]
    told.clear()
    gov.execute_batch(gov.submit_batch(items, atomic=False, actor=GRACE, reason="r").id, actor=WORKER)
    assert [each[1] for each in told] == ["before", "after", "before", "after"]
    told.clear()
    gov.execute(gov.compensate(together.requests[0].id, actor=GRACE, reason="r").id, actor=WORKER)
    assert [each[1] for each in told] == ["before", "after"]


def test_atomic_batch_is_blocked_as_a_whole(opened: Open) -> None:
    gov, told = opened({"name": "watch"}, {"name": "guard", "order": 1, "mutations": ["set_note"], "raises": "before"})
    items = [{"mutation": Add(amount=1), "state_id": "c"}, {"mutation": SetNote(note="x"), "state_id": "r"}]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="r")
    head = gov.log.head()
    with pytest.raises(InterceptedError, match="guard"):
        gov.execute_batch(batch.id, actor=WORKER)
    assert gov.log.head() == head
    assert [each[:2] for each in told if each[0] == "watch"] == [("watch", "before")] * 2 + [("watch", "blocked")] * 2


def test_program_that_is_stopped_closes_what_it_opened(opened: Open) -> None:
    gov, told = opened({"name": "watch"})

    def stop(self: Any, state: Any) -> Any:
        raise KeyboardInterrupt

    request = asked(gov)
    original, Add.apply = Add.apply, stop  # type: ignore[method-assign]
    try:
        with pytest.raises(KeyboardInterrupt):
            gov.execute(request, actor=WORKER)
    finally:
        Add.apply = original  # type: ignore[method-assign]
    assert [each[1] for each in told] == ["before", "blocked"]
    assert gov.request(request).status is Status.APPROVED


@pytest.mark.parametrize("way", ["run", "execute", "batch"])
def test_hook_may_execute_something_itself_whatever_the_limit(store_url: str, way: str) -> None:
    class Following(Interceptor):
        mutations = (Add,)

        def after(self, call: Call, outcome: Outcome) -> None:
            gov.run(SetNote(note="followed"), state_id=STATE_ID, actor=call.actor, reason="after it")

    settings = Settings(max_concurrent_executions=1)
    asked: dict[str, Any] = {"mutation": Add(amount=1), "state_id": "counter"}
    with Governance.open(store_url, mutations=MUTATIONS, interceptors=[Following()], settings=settings) as gov:
        if way == "run":
            gov.run(**asked, actor=GRACE, reason="r")
        elif way == "execute":
            gov.execute(gov.submit(**asked, actor=GRACE, reason="r").id, actor=WORKER)
        else:
            gov.execute_batch(gov.submit_batch([asked], atomic=True, actor=GRACE, reason="r").id, actor=WORKER)
        assert gov.state(STATE_ID).value.note == "followed"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), GeneratorExit()])
def test_program_that_is_stopped_afterwards_is_recorded_and_keeps_no_other_from_its_work(
    opened: Open, error: BaseException
) -> None:
    gov, told = opened({"name": "first"}, {"name": "second", "order": 1, "raises": "after", "error": error})
    request = asked(gov)
    with pytest.raises(type(error)):
        gov.execute(request, actor=WORKER)
    assert [each[:2] for each in told[2:]] == [("second", "after"), ("first", "after")]
    recorded = gov.history(request)[-1].event
    assert isinstance(recorded, InterceptorFailed)
    assert (recorded.interceptor, gov.request(request).status) == ("second", Status.EXECUTED)


@pytest.mark.parametrize("raises", ["before", "after"])
def test_error_without_words_blocks_or_is_recorded_like_any_other(opened: Open, raises: str) -> None:
    gov, told = opened({"name": "first"}, {"name": "mute", "order": 1, "raises": raises, "error": MuteError()})
    request = asked(gov)
    if raises == "before":
        with pytest.raises(InterceptedError, match="MuteError"):
            gov.execute(request, actor=WORKER)
    else:
        assert gov.execute(request, actor=WORKER).executed
        assert "MuteError" in str(gov.history(request)[-1].event)
    assert told[-1][:2] == ("first", "blocked" if raises == "before" else "after")


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 201, "  ", 5])
def test_interceptor_that_cannot_be_named_in_the_log_is_refused_at_opening(opened: Open, name: Any) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        opened({"name": name})


def test_what_cannot_be_an_interceptor_is_refused_at_opening(store_url: str) -> None:
    class Other(Interceptor):
        mutations = ("no_such_mutation",)

    for given in ([object()], [Interceptor(), Interceptor()], [Other()]):
        with pytest.raises((ConfigurationError, InputError)):
            Governance.open(store_url, mutations=MUTATIONS, interceptors=given)  # type: ignore[arg-type]
