"""Trying without storing, and asking again with the same key, on both databases."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from governance import (
    Actor,
    ConfigurationError,
    Governance,
    IdempotencyConflictError,
    InputError,
    NotFoundError,
    StaleError,
    Status,
    allow,
    approval,
    deny,
    policy,
    require,
)
from tests.cases import ALAN, GRACE, MUTATIONS, STATE_ID, WORKER, Add, Counter, GrantAdmin, Roles

pytestmark = pytest.mark.as_application

asked: list[str] = []


@policy(GrantAdmin)
def rule(mutation: GrantAdmin, state: Roles, context: object) -> object:
    asked.append(mutation.user)
    return deny("no") if mutation.user == "mallory" else require(approval(role="lead"))


@pytest.fixture
def gov(store_url: str) -> Iterator[Governance]:
    asked.clear()
    with Governance.open(store_url, mutations=MUTATIONS, policies=[rule, policy(Add)(lambda *_: allow())]) as gov:
        yield gov


@pytest.fixture
def other(store_url: str, gov: Governance) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, policies=[rule]) as other:
        yield other


USUAL: dict[str, Any] = {"mutation": Add(amount=1), "state_id": "c", "actor": GRACE, "reason": "r"}


def grant(user: str) -> dict[str, Any]:
    """Return the arguments of a request that a policy has something to say about."""
    return {"mutation": GrantAdmin(user=user), "state_id": STATE_ID, "actor": GRACE, "reason": "r"}


@pytest.mark.parametrize("mode", ["simulate", "validate"])
def test_trying_stores_nothing(gov: Governance, mode: Any) -> None:
    head = gov.log.head()
    tried = gov.submit(**grant("ada"), mode=mode, idempotency_key="k", expires_at=None)
    assert tried.change_set[0].new == "ada"
    assert tried.status is (Status.PENDING if mode == "simulate" else Status.APPROVED)
    assert asked == (["ada"] if mode == "simulate" else [])
    gov.submit(**grant("mallory"), mode=mode)
    gov.submit(**USUAL, mode=mode)
    assert gov.log.head() == head
    assert gov.state("c").version == 0
    assert gov.submit(**grant("other"), idempotency_key="k").change_set[0].new == "other"


def test_simulation_says_what_would_come_of_it(gov: Governance) -> None:
    pending = gov.submit(**grant("ada"), mode="simulate")
    denied = gov.submit(**grant("mallory"), mode="simulate")
    stored = gov.submit(**grant("ada"))
    assert [each.asked for each in pending.requirements] == [each.asked for each in stored.requirements]
    assert (pending.change_set, pending.digest) == (stored.change_set, stored.digest)
    assert (denied.status, denied.end_code) == (Status.REJECTED, "policy-denied")


@pytest.mark.parametrize(
    ("others", "error"),
    [
        ({"expected_version": 7}, StaleError),
        ({"reason": ""}, InputError),
        ({"mode": "Simulate"}, InputError),
        ({"requires": [approval(actor="grace")]}, ConfigurationError),
        ({"supersedes": "0198a000-0000-7000-8000-0000000000ba"}, NotFoundError),
    ],
)
def test_trying_refuses_what_storing_would(gov: Governance, others: dict[str, Any], error: type[Exception]) -> None:
    for mode in ("simulate", "validate", "commit"):
        with pytest.raises(error):
            gov.submit(**USUAL | {"mode": mode} | others)
    assert gov.log.head() == 0


def test_preview_and_explanation_store_nothing(gov: Governance) -> None:
    request = gov.submit(**grant("ada"))
    head = gov.log.head()
    preview = gov.preview(request.id)
    assert (preview.outcome, preview.change_set, preview.digest) == ("matched", request.change_set, request.digest)
    told = gov.explain(request.id, actor=ALAN).requirements[0]
    assert (told.actor_may, told.missing, told.who) == (True, 1, ("role lead",))
    told = gov.explain(request.id, actor=GRACE).requirements[0]
    assert told.actor_may is False
    assert told.actor_may_not_because
    assert gov.log.head() == head


def test_same_key_and_content_is_the_same_request(gov: Governance, other: Governance) -> None:
    first = gov.submit(**USUAL, idempotency_key="k", metadata={"a": 1})
    head = gov.log.head()
    for program in (gov, other):
        for call in (program.submit, program.submit):
            assert call(**USUAL, idempotency_key="k", metadata={"a": 1}).id == first.id
    assert (
        gov.submit(
            **USUAL | {"actor": Actor(id="grace", roles=("x",))},
            idempotency_key="k",
            metadata={"a": 1},
            correlation_id="t",
        ).id
        == first.id
    )
    assert gov.log.head() == head
    assert gov.submit(**USUAL).id != first.id
    assert gov.submit(**USUAL, idempotency_key="K", metadata={"a": 1}).id != first.id


def test_same_key_runs_once(gov: Governance, other: Governance) -> None:
    first = gov.run(**USUAL, idempotency_key="k")
    for program in (gov, other, gov):
        again = program.run(**USUAL, idempotency_key="k")
        assert (again.executed, again.resulting_version, again.change_set) == (True, 1, first.change_set)
        assert again.request.id == first.request.id
    assert gov.state("c").value == Counter(value=1)
    assert gov.submit(**USUAL, idempotency_key="k").status is Status.EXECUTED


def test_same_key_answers_after_everything_has_changed(gov: Governance) -> None:
    first = gov.submit(**USUAL, idempotency_key="k", expected_version=0)
    gov.execute(first.id, actor=WORKER)
    gov.run(**USUAL)
    again = gov.submit(**USUAL, idempotency_key="k", expected_version=0)
    assert (again.id, again.status) == (first.id, Status.EXECUTED)


def test_key_of_a_refused_request_answers_with_the_refusal(gov: Governance) -> None:
    first = gov.submit(**grant("mallory"), idempotency_key="k")
    assert gov.submit(**grant("mallory"), idempotency_key="k").id == first.id
    assert asked == ["mallory"]


OTHERS: dict[str, dict[str, Any]] = {
    "mutation": {"mutation": Add(amount=2)},
    "state": {"state_id": "d"},
    "actor": {"actor": ALAN},
    "reason": {"reason": "s"},
    "requirement": {"requires": [approval(role="lead")]},
    "strategy": {"stale": "reject"},
    "metadata": {"metadata": {"a": 2}},
    "metadata of another type": {"metadata": {"a": True}},
}


@pytest.mark.parametrize("other_content", OTHERS)
def test_same_key_with_other_content_is_a_conflict(gov: Governance, other_content: str) -> None:
    first = gov.submit(**USUAL | {"metadata": {"a": 1}}, idempotency_key="k")
    head = gov.log.head()
    calls: list[Callable[..., Any]] = [gov.submit, gov.run]
    for call in calls:
        with pytest.raises(IdempotencyConflictError) as caught:
            call(**USUAL | {"metadata": {"a": 1}} | OTHERS[other_content], idempotency_key="k")
        assert caught.value.ids == {"idempotency_key": "k", "request": first.id}
    assert gov.log.head() == head


def test_key_is_not_used_up_by_a_call_that_was_refused(gov: Governance) -> None:
    with pytest.raises(ConfigurationError):
        gov.submit(**USUAL, requires=[approval(actor="grace")], idempotency_key="k")
    with pytest.raises(StaleError):
        gov.submit(**USUAL, expected_version=3, idempotency_key="k")
    assert gov.submit(**USUAL, requires=[approval(role="lead", expires_after=timedelta(1))], idempotency_key="k").id
