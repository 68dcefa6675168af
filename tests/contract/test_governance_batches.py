"""Batches on both databases: all or nothing, or in order with what was done put right."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from governance import (
    AlreadyExecutedError,
    ConfigurationError,
    Governance,
    InputError,
    InvalidTransitionError,
    NotAuthorizedError,
    NotFoundError,
    SelfApprovalError,
    StaleError,
    Status,
    StoreUnavailableError,
    approval,
)
from governance.batching import Batch, BatchItem
from governance.domain.evolution import replay
from tests.cases import ALAN, GRACE, MUTATIONS, START, TONY, WORKER, Add, Counter, GrantAdmin, SetNote

pytestmark = pytest.mark.as_application

LEAD = (approval(role="lead"),)


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS) as governance:
        yield governance


def item(number: int, **others: Any) -> dict[str, Any]:
    return {"mutation": Add(amount=number + 1), "state_id": f"counter-{number}", **others}


def asked(gov: Governance, count: int = 3, *, atomic: bool = True, **others: Any) -> Batch:
    items = [item(number, **others) for number in range(count)]
    return gov.submit_batch(items, atomic=atomic, actor=GRACE, reason="quarterly")


def drift(gov: Governance, number: int) -> None:
    gov.run(Add(amount=100), state_id=f"counter-{number}", actor=TONY, reason="drift")


def values(gov: Governance, count: int = 3) -> list[int]:
    found = [gov.state(f"counter-{number}").value for number in range(count)]
    return [each.value if isinstance(each, Counter) else 0 for each in found]


def statuses(batch: Batch) -> list[str]:
    return [each.status.value for each in batch.requests]


def test_every_request_names_its_batch_and_the_batch_its_requests(gov: Governance) -> None:
    batch = asked(gov)
    assert [each.links.batch_id for each in batch.requests] == [batch.id] * 3
    assert gov.batch(batch.id) == batch
    assert [gov.request(each.id) for each in batch.requests] == list(batch.requests)


def test_items_may_be_values_and_say_their_own_reason(gov: Governance) -> None:
    items: list[Any] = [BatchItem(mutation=Add(amount=1), state_id="c", reason="mine"), item(1, actor=TONY)]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="ours")
    assert [(each.requester.id, each.reason) for each in batch.requests] == [("grace", "mine"), ("tony", "ours")]


@pytest.mark.parametrize(
    ("items", "error", "field"),
    [
        ([], InputError, "items"),
        ([item(0), {"mutation": Add(amount=1)}], InputError, "items"),
        ([item(0), item(1, colour="red")], InputError, "items"),
        ([item(0), item(1, idempotency_key="k")], InputError, "items.idempotency_key"),
        ([item(0), item(1, metadata={"x": float("nan")})], InputError, "metadata.x"),
        (["nothing"], InputError, "items"),
        (None, InputError, "items"),
        (5, InputError, "items"),
        (repeat(item(0)), InputError, "items"),
        ([item(0), item(1, requires=(approval(actor="grace"),))], ConfigurationError, None),
        ([item(0), item(1, expected_version=7)], StaleError, None),
        ([item(number) for number in range(1001)], InputError, "items"),
    ],
)
def test_batch_with_one_bad_item_stores_nothing(gov: Governance, items: Any, error: Any, field: str | None) -> None:
    head = gov.log.head()
    with pytest.raises(error) as caught:
        gov.submit_batch(items, atomic=True, actor=GRACE, reason="quarterly")
    assert gov.log.head() == head
    assert caught.value.ids.get("field") == field


def test_refusal_names_the_item(gov: Governance) -> None:
    with pytest.raises(StaleError, match="item 1") as caught:
        gov.submit_batch([item(0), item(1, expected_version=7)], atomic=True, actor=GRACE, reason="quarterly")
    assert caught.value.ids["item"] == "1"


def test_atomic_batch_moves_all_states_in_one_transaction(gov: Governance) -> None:
    batch = asked(gov)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.batch.status, values(gov)) == (True, "executed", [1, 2, 3])
    appends = {gov.history(each.id)[-1].append_id for each in batch.requests}
    appends |= {gov.state_history(each.state_id)[-1].append_id for each in batch.requests}
    assert len(appends) == 1


def test_atomic_batch_with_one_that_cannot_run_moves_nothing_and_says_which(gov: Governance) -> None:
    batch = asked(gov, stale="reject")
    drift(gov, 1)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed, outcome.batch.status) == (False, batch.requests[1].id, "open")
    assert "moved from version 0 to 1" in str(outcome.reason)
    assert statuses(outcome.batch) == ["approved", "rejected", "approved"]
    assert values(gov) == [0, 100, 0]


def test_atomic_batch_waits_until_all_of_it_is_approved(gov: Governance) -> None:
    batch = asked(gov, requires=LEAD)
    gov.approve(batch.requests[0].id, actor=ALAN)
    head = gov.log.head()
    with pytest.raises(InvalidTransitionError):
        gov.execute_batch(batch.id, actor=WORKER)
    assert gov.log.head() == head


def test_items_on_one_state_run_one_after_the_other(gov: Governance) -> None:
    items = [{"mutation": Add(amount=amount), "state_id": "one"} for amount in (1, 2, 3)]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="sum")
    assert gov.execute_batch(batch.id, actor=WORKER).executed
    assert (gov.state("one").version, gov.state("one").value) == (3, Counter(value=6))


def test_yes_to_the_whole_is_one_transaction_over_what_was_seen(gov: Governance) -> None:
    batch = asked(gov, requires=LEAD)
    approved = gov.approve_batch(batch.id, actor=ALAN, seen=batch.digest)
    assert statuses(approved) == ["approved"] * 3
    assert len({gov.history(each.id)[-1].append_id for each in batch.requests}) == 1
    assert gov.execute_batch(batch.id, actor=WORKER).executed


def test_whole_batch_is_refused_when_one_item_is(gov: Governance) -> None:
    items = [item(0, requires=LEAD), item(1, requires=(approval(role="cto"),))]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="quarterly")
    head = gov.log.head()
    for actor, error in ((ALAN, NotAuthorizedError), (GRACE, SelfApprovalError)):
        with pytest.raises(error):
            gov.approve_batch(batch.id, actor=actor)
    with pytest.raises(StaleError):
        gov.approve_batch(batch.id, actor=ALAN, seen="sha256:something else")
    assert gov.log.head() == head


def test_batch_in_order_executes_one_after_the_other(gov: Governance) -> None:
    outcome = gov.execute_batch(asked(gov, atomic=False).id, actor=WORKER)
    assert (outcome.executed, len(outcome.outcomes), values(gov)) == (True, 3, [1, 2, 3])


def test_failure_in_order_puts_right_what_was_done_newest_first(gov: Governance) -> None:
    batch = asked(gov, 4, atomic=False, stale="reject")
    drift(gov, 2)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed, outcome.batch.status) == (False, batch.requests[2].id, "failed")
    assert statuses(outcome.batch) == ["compensated", "compensated", "rejected", "approved"]
    assert [each.links.compensates for each in outcome.compensations] == [batch.requests[1].id, batch.requests[0].id]
    assert {each.compensation.trigger for each in outcome.compensations if each.compensation} == {"automatic"}
    assert values(gov, 4) == [0, 0, 100, 0]


def test_failed_batch_puts_nothing_right_twice(gov: Governance) -> None:
    batch = asked(gov, atomic=False, stale="reject")
    drift(gov, 2)
    gov.execute_batch(batch.id, actor=WORKER)
    head = gov.log.head()
    again = gov.execute_batch(batch.id, actor=WORKER)
    assert (again.executed, again.compensations, gov.log.head()) == (False, (), head)


def test_what_has_no_inverse_is_restored(gov: Governance) -> None:
    items = [
        {"mutation": SetNote(note="x"), "state_id": "roles"},
        {"mutation": GrantAdmin(user="ada"), "state_id": "other", "stale": "reject"},
    ]
    batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="two things")
    gov.run(GrantAdmin(user="bob"), state_id="other", actor=TONY, reason="drift")
    (undo,) = gov.execute_batch(batch.id, actor=WORKER).compensations
    assert undo.compensation is not None
    assert (undo.compensation.kind, undo.status, gov.state("roles").value.note) == ("restore", Status.EXECUTED, "")


def test_what_cannot_be_put_right_is_named_and_left_to_somebody(gov: Governance) -> None:
    items = [
        {"mutation": SetNote(note="x"), "state_id": "roles"},
        {"mutation": GrantAdmin(user="ada"), "state_id": "roles"},
        {"mutation": GrantAdmin(user="carol"), "state_id": "other", "stale": "reject"},
    ]
    batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="three things")
    gov.run(GrantAdmin(user="bob"), state_id="other", actor=TONY, reason="drift")
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert list(outcome.batch.state.not_compensated) == [batch.requests[0].id]
    failure = outcome.batch.requests[0].compensation_failure
    assert failure is not None
    assert (failure.by, failure.owner) == (None, "grace")
    assert list(outcome.batch.state.compensations) == [batch.requests[1].id]
    assert statuses(outcome.batch) == ["executed", "compensated", "rejected"]


def test_batch_in_order_is_not_begun_before_all_of_it_is_approved(gov: Governance) -> None:
    batch = gov.submit_batch([item(0), item(1, requires=LEAD)], atomic=False, actor=GRACE, reason="quarterly")
    head = gov.log.head()
    with pytest.raises(InvalidTransitionError, match="pending"):
        gov.execute_batch(batch.id, actor=WORKER)
    assert gov.log.head() == head
    gov.approve(batch.requests[1].id, actor=ALAN)
    assert gov.execute_batch(batch.id, actor=WORKER).executed


def test_batch_in_order_does_nothing_only_to_undo_it_when_one_of_it_has_ended(gov: Governance) -> None:
    batch = asked(gov, atomic=False)
    gov.cancel(batch.requests[2].id, actor=GRACE)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed, outcome.compensations) == (False, batch.requests[2].id, ())
    assert (outcome.batch.status, statuses(outcome.batch)) == ("failed", ["approved", "approved", "canceled"])


def test_batch_of_which_one_was_put_right_before_is_no_success(gov: Governance) -> None:
    batch = asked(gov, atomic=False)
    for number in (0, 1):
        gov.execute(batch.requests[number].id, actor=WORKER)
    gov.compensate_automatically(batch.requests[1].id, reason="wrong", key="k")
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed) == (False, batch.requests[1].id)
    assert (statuses(outcome.batch), values(gov)) == (["compensated", "compensated", "approved"], [0, 0, 0])


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("actor", ["grace", None, 5])
def test_only_an_actor_executes_a_batch(gov: Governance, atomic: bool, actor: Any) -> None:
    batch = asked(gov, atomic=atomic)
    with pytest.raises(InputError) as caught:
        gov.execute_batch(batch.id, actor=actor)
    assert (caught.value.ids["field"], statuses(gov.batch(batch.id))) == ("actor", ["approved"] * 3)


def test_batch_goes_on_after_what_was_executed_before(gov: Governance) -> None:
    batch = asked(gov, atomic=False)
    gov.execute(batch.requests[0].id, actor=WORKER)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, len(outcome.outcomes), values(gov)) == (True, 2, [1, 2, 3])


def test_batch_is_executed_once(gov: Governance) -> None:
    for atomic in (True, False):
        batch = asked(gov, atomic=atomic)
        gov.execute_batch(batch.id, actor=WORKER)
        head = gov.log.head()
        with pytest.raises(InvalidTransitionError):
            gov.execute_batch(batch.id, actor=WORKER)
        with pytest.raises(AlreadyExecutedError):
            gov.execute(batch.requests[0].id, actor=WORKER)
        assert gov.log.head() == head


def test_batch_that_is_not_there_is_not_found(gov: Governance) -> None:
    with pytest.raises(NotFoundError):
        gov.batch("0198a000-0000-7000-8000-0000000000ba")
    with pytest.raises(InputError):
        gov.execute_batch("no id", actor=WORKER)


def test_a_thousand_items_are_one_batch(gov: Governance) -> None:
    batch = asked(gov, 1000)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert outcome.executed
    assert gov.state("counter-999").value == Counter(value=1000)
    request = batch.requests[500]
    assert replay(gov.history(request.id)) == gov.request(request.id)


def test_nothing_is_recorded_about_versions_that_only_the_batch_would_have_made(gov: Governance) -> None:
    items = [{"mutation": GrantAdmin(user=user), "state_id": "roles"} for user in ("ada", "bob")]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="two more")
    gov.run(GrantAdmin(user="bob"), state_id="roles", actor=TONY, reason="drift")
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed, outcome.outcomes) == (False, batch.requests[1].id, ())
    assert "after what the batch does to state roles before it" in str(outcome.reason)
    assert gov.batch(batch.id).requests == batch.requests


def test_one_of_an_atomic_batch_is_not_executed_without_the_others(gov: Governance) -> None:
    items = [{"mutation": Add(amount=1), "state_id": each} for each in "ab"]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="both")
    head, one = gov.log.head(), batch.requests[0].id
    with pytest.raises(InvalidTransitionError, match="or not at all: execute the batch") as refused:
        gov.execute(one, actor=WORKER)
    assert refused.value.ids == {"request": one, "batch": batch.id, "command": "execute"}
    assert gov.log.head() == head
    assert gov.execute_batch(batch.id, actor=WORKER).executed
    with pytest.raises(AlreadyExecutedError):
        gov.execute(one, actor=WORKER)


def test_one_of_a_batch_in_order_may_be_executed_before_the_others(gov: Governance) -> None:
    items = [{"mutation": Add(amount=1), "state_id": each} for each in "ab"]
    batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="one after the other")
    assert gov.execute(batch.requests[0].id, actor=WORKER).executed
    assert gov.execute_batch(batch.id, actor=WORKER).executed


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(
    ("stale", "requires", "why"),
    [
        ("reject", (), "moved from version 0 to 1"),
        ("reject", LEAD, "moved from version 0 to 1"),
        ("renew", LEAD, "every approval was for the earlier one"),
        ("revalidate", LEAD, "would now change something else than was approved"),
    ],
)
def test_item_that_could_never_run_behind_another_is_refused(
    gov: Governance, atomic: bool, stale: str, requires: Any, why: str
) -> None:
    items = [item(7), {**item(1), "state_id": "one"}, {**item(2, stale=stale, requires=requires), "state_id": "one"}]
    head = gov.log.head()
    with pytest.raises(InputError, match=why) as caught:
        gov.submit_batch(items, atomic=atomic, actor=GRACE, reason="quarterly")
    assert (caught.value.ids["item"], caught.value.ids["state"], gov.log.head()) == ("2", "one", head)


def test_item_that_is_not_valid_behind_another_is_refused(gov: Governance) -> None:
    items = [{"mutation": GrantAdmin(user="ada"), "state_id": "roles"} for _ in range(2)]
    with pytest.raises(InputError, match=r"item 1: .*already"):
        gov.submit_batch(items, atomic=True, actor=GRACE, reason="twice")


def test_item_may_reject_what_moves_behind_another_that_it_does_not_look_at(gov: Governance) -> None:
    items: list[Any] = [
        {"mutation": GrantAdmin(user="ada"), "state_id": "roles"},
        {"mutation": SetNote(note="x"), "state_id": "roles", "stale": "reject", "requires": LEAD},
    ]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="apart")
    gov.approve_batch(batch.id, actor=ALAN)
    assert gov.execute_batch(batch.id, actor=WORKER).executed


def test_item_that_was_refused_at_once_is_in_nobody_s_way(gov: Governance) -> None:
    gov.run(GrantAdmin(user="ada"), state_id="roles", actor=TONY, reason="before")
    items = [{"mutation": GrantAdmin(user=user), "state_id": "roles", "stale": "reject"} for user in ("ada", "bob")]
    assert statuses(gov.submit_batch(items, atomic=False, actor=GRACE, reason="two")) == ["rejected", "approved"]


def test_batch_is_taken_in_while_others_change_its_states_all_the_time(
    gov: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = gov._executor.current_state

    def changing(state_id: str, state_type: str, *, fresh: bool = True) -> Any:
        if state_id == "counter-1" and state_type == "Counter" and fresh:
            monkeypatch.setattr(gov._executor, "current_state", state)
            drift(gov, 1)
            monkeypatch.setattr(gov._executor, "current_state", changing)
        return state(state_id, state_type, fresh=fresh)

    monkeypatch.setattr(gov._executor, "current_state", changing)
    batch = asked(gov)
    monkeypatch.undo()
    assert [each.evaluated_version for each in batch.requests] == [0, 1, 0]
    assert batch.requests[1].created_at >= gov.state_history("counter-1")[0].at
    assert [replay(gov.history(each.id)) for each in batch.requests] == list(batch.requests)


def test_foresight_does_not_mistake_what_others_do_meanwhile_for_its_own(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Governance.open(store_url, mutations=MUTATIONS, clock=lambda: START) as gov:
        evaluate, calls = gov._evaluator.evaluate, iter(range(1, 100))

        def slowly(*given: Any, **named: Any) -> Any:
            if next(calls) == 1:
                drift(gov, 1)
            return evaluate(*given, **named)

        monkeypatch.setattr(gov._evaluator, "evaluate", slowly)
        items = [{**item(number, stale="reject"), "state_id": "counter-1"} for number in range(2)]
        batch = gov.submit_batch(items, atomic=False, actor=GRACE, reason="a race")
        assert [each.evaluated_version for each in batch.requests] == [0, 1]


def test_all_rounds_that_an_atomic_batch_needs_open_at_once(gov: Governance) -> None:
    batch = gov.approve_batch(asked(gov, 4, requires=LEAD, stale="renew").id, actor=ALAN)
    for number in (0, 2, 3):
        drift(gov, number)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert (outcome.executed, outcome.failed) == (False, batch.requests[0].id)
    assert [each.request.id for each in outcome.outcomes] == [batch.requests[number].id for number in (0, 2, 3)]
    assert statuses(outcome.batch) == ["pending", "approved", "pending", "pending"]
    assert len({gov.history(batch.requests[number].id)[-1].append_id for number in (0, 2, 3)}) == 1
    gov.approve_batch(batch.id, actor=ALAN)
    assert gov.execute_batch(batch.id, actor=WORKER).executed
    assert values(gov, 4) == [101, 2, 103, 104]


def test_what_stands_behind_an_item_that_was_stopped_is_left_as_it_was(gov: Governance) -> None:
    items: list[Any] = [
        {"mutation": GrantAdmin(user="ada"), "state_id": "roles", "requires": LEAD, "stale": "renew"},
        {"mutation": SetNote(note="x"), "state_id": "roles", "stale": "reject"},
        item(1, stale="reject"),
    ]
    batch = gov.approve_batch(gov.submit_batch(items, atomic=True, actor=GRACE, reason="three").id, actor=ALAN)
    gov.run(GrantAdmin(user="bob"), state_id="roles", actor=TONY, reason="drift")
    drift(gov, 1)
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert statuses(outcome.batch) == ["pending", "approved", "rejected"]
    assert outcome.batch.requests[1] == batch.requests[1]


def test_items_on_one_state_tell_what_the_ones_before_them_did(gov: Governance) -> None:
    items = [{"mutation": Add(amount=amount), "state_id": "one"} for amount in (1, 2, 3)]
    batch = gov.submit_batch(items, atomic=True, actor=GRACE, reason="sum")
    resolution = gov.execute_batch(batch.id, actor=WORKER).outcomes[2].resolution
    assert resolution is not None
    assert [each.request_id for each in resolution.drift] == [each.id for each in batch.requests[:2]]


@pytest.mark.parametrize("call", range(1, 11))
def test_store_that_is_away_for_a_while_is_no_failure_of_an_item(
    gov: Governance, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    batch = asked(gov, atomic=False, stale="reject")
    drift(gov, 2)
    append, calls = gov.log.append, iter(range(1, 100))

    def away(recorded: Any) -> Any:
        if next(calls) >= call:
            msg = "away"
            raise StoreUnavailableError(msg)
        return append(recorded)

    monkeypatch.setattr(gov.log, "append", away)
    with pytest.raises(StoreUnavailableError):
        gov.execute_batch(batch.id, actor=WORKER)
    monkeypatch.undo()
    outcome = gov.execute_batch(batch.id, actor=WORKER)
    assert statuses(outcome.batch) == ["compensated", "compensated", "rejected"]
    assert (len(outcome.batch.state.compensations), outcome.batch.state.not_compensated) == (2, {})
    assert values(gov) == [0, 0, 100]
