"""Quotas: tokens per window, first come first served, never more than there are; on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest

from governance import (
    Actor,
    ConfigurationError,
    Governance,
    InputError,
    NotAuthorizedError,
    Settings,
    approval,
    quota,
    schedule,
)
from governance.domain.lifecycle import Status
from governance.engines.engine import DueReport
from tests.cases import ALAN, GRACE, HOUR, MUTATIONS, ROOT, START, WORKER, Add
from tests.clocks import Clock

pytestmark = pytest.mark.as_application

DAY = timedelta(days=1)


@pytest.fixture
def gov(store_url: str, clock: Clock) -> Iterator[Governance]:
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock) as governance:
        yield governance


def ask(gov: Governance, *requires: Any, state: str = "n", **others: Any) -> str:
    return gov.submit(Add(amount=1), state_id=state, actor=GRACE, reason="r", requires=requires, **others).id


def told(report: DueReport) -> list[tuple[str, str]]:
    return [(each.item.engine, each.what) for each in report.performed]


def executed(gov: Governance, requests: list[str]) -> list[bool]:
    return [gov.request(each).status is Status.EXECUTED for each in requests]


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_so_many_run_in_each_window_in_the_order_in_which_they_came(
    gov: Governance, clock: Clock, window: Literal["fixed", "sliding"]
) -> None:
    gov.quotas.define("deploys", limit=2, per=HOUR, window=window, actor=ROOT)
    requests = [ask(gov, quota("deploys")) for _ in range(5)]
    gov.run_due()
    assert executed(gov, requests) == [True, True, False, False, False]
    assert gov.quotas.get("deploys").free == 0
    clock.now += HOUR - timedelta(microseconds=1)
    gov.run_due()
    assert sum(executed(gov, requests)) == 2
    clock.now += timedelta(microseconds=1)
    gov.run_due()
    assert executed(gov, requests) == [True, True, True, True, False]
    clock.now += HOUR
    gov.run_due()
    assert all(executed(gov, requests))


def test_fixed_window_begins_on_the_hour_and_sliding_one_with_each_token(gov: Governance, clock: Clock) -> None:
    clock.now = START + timedelta(minutes=50)
    gov.quotas.define("fixed", limit=1, per=HOUR, window="fixed", actor=ROOT)
    gov.quotas.define("sliding", limit=1, per=HOUR, window="sliding", actor=ROOT)
    fixed = [ask(gov, quota("fixed")) for _ in range(2)]
    sliding = [ask(gov, quota("sliding")) for _ in range(2)]
    gov.run_due()
    assert gov.explain(fixed[1]).requirements[0].earliest == START + HOUR
    assert gov.explain(sliding[1]).requirements[0].earliest == clock.now + HOUR
    clock.now = START + HOUR
    gov.run_due()
    assert (executed(gov, fixed), executed(gov, sliding)) == ([True, True], [True, False])


def test_nobody_overtakes_who_asks_for_more(gov: Governance, clock: Clock) -> None:
    gov.quotas.define("deploys", limit=3, per=HOUR, actor=ROOT)
    requests = [ask(gov, quota("deploys", tokens)) for tokens in (2, 2, 1)]
    gov.run_due()
    assert executed(gov, requests) == [True, False, False]
    clock.now += HOUR
    gov.run_due()
    assert executed(gov, requests) == [True, True, True]


def test_who_waits_for_somebody_else_keeps_nobody_behind(gov: Governance, clock: Clock) -> None:
    gov.quotas.define("deploys", limit=1, per=HOUR, actor=ROOT)
    first = ask(gov, quota("deploys"), approval(role="lead"), state="other")
    second = ask(gov, quota("deploys"))
    gov.run_due()
    assert executed(gov, [first, second]) == [False, True]
    gov.approve(first, actor=ALAN)
    gov.run_due()
    assert gov.request(first).pending_reasons == ("quota",)
    clock.now += HOUR
    gov.run_due()
    assert executed(gov, [first]) == [True]


@pytest.mark.parametrize("end", ["cancel", "expire", "fail"])
def test_tokens_come_back_from_what_does_not_run(store_url: str, clock: Clock, end: str) -> None:
    settings = Settings(execute_automatically="never", max_attempts=1)
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        gov.quotas.define("deploys", limit=1, per=DAY, window="sliding", actor=ROOT)
        first = ask(gov, quota("deploys"), expires_at=START + HOUR)
        second = ask(gov, quota("deploys"))
        gov.run_due()
        assert gov.request(first).status is Status.APPROVED
        if end == "cancel":
            gov.cancel(first, actor=GRACE)
        else:
            clock.now += HOUR
        report = told(gov.run_due())
        assert ("quota return", "returned") in report
        assert gov.request(second).status is Status.APPROVED
        assert gov.run_due().performed == ()
        assert gov.quotas.get("deploys").taken == 1
        gov.execute(second, actor=WORKER)
        gov.agenda.rebuild()
        gov.run_due()
        assert gov.quotas.get("deploys").taken == 1, "what ran keeps its tokens, and nothing comes back twice"


def test_tokens_of_long_ago_come_back_once_too(store_url: str, clock: Clock) -> None:
    settings = Settings(execute_automatically="never")
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        gov.quotas.define("deploys", limit=2, per=HOUR, actor=ROOT)
        old = ask(gov, quota("deploys", 2))
        gov.run_due()
        clock.now += 9 * HOUR
        new = ask(gov, quota("deploys"))
        gov.run_due()
        assert old not in {each.request_id for each in gov.quotas.look("deploys").reservations}, (
            "it is old enough to be forgotten"
        )
        gov.cancel(old, actor=GRACE)
        assert ("quota return", "returned") in told(gov.run_due())
        gov.agenda.rebuild()
        gov.run_due()
        kinds = [each.type for each in gov.log.stream("quota-deploys")]
        assert kinds == ["QuotaDefined", "TokensReserved", "TokensReserved", "TokensReleased"]
        assert gov.request(new).status is Status.APPROVED
        assert gov.quotas.get("deploys").taken == 1


def test_tokens_come_back_once_however_many_give_them_back(store_url: str, clock: Clock) -> None:
    settings = Settings(execute_automatically="never")
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        gov.quotas.define("deploys", limit=2, per=HOUR, actor=ROOT)
        requests = [ask(gov, quota("deploys")), ask(gov, quota("deploys"))]
        gov.run_due()
        for each in requests:
            gov.cancel(each, actor=GRACE)
        (engine,) = [each for each in gov.engines if each.name == "quota return"]
        items = engine.due(clock.now, 10)
        answers = [engine.perform(item, clock.now).what for item in [*items, *items]]
        assert answers == ["returned", "returned", "returned before", "returned before"]
        kinds = [each.type for each in gov.log.stream("quota-deploys")]
        assert kinds.count("TokensReleased") == len(requests)


def test_new_round_after_drift_gives_the_tokens_back_and_asks_for_them_again(store_url: str, clock: Clock) -> None:
    settings = Settings(execute_automatically="never")
    with Governance.open(store_url, mutations=MUTATIONS, clock=clock, settings=settings) as gov:
        gov.quotas.define("deploys", limit=1, per=DAY, window="sliding", actor=ROOT)
        first = ask(gov, approval(role="lead"), quota("deploys"), stale="renew")
        gov.approve(first, actor=ALAN)
        gov.run_due()
        assert (gov.request(first).status, gov.quotas.get("deploys").free) == (Status.APPROVED, 0)
        gov.execute(ask(gov), actor=WORKER)
        assert gov.execute(first, actor=WORKER).request.pending_reasons == ("approval", "quota")
        gov.run_due()
        assert gov.quotas.get("deploys").free == 1
        gov.approve(first, actor=ALAN)
        gov.run_due()
        assert gov.execute(first, actor=WORKER).executed
        assert gov.quotas.get("deploys").taken == 1


def test_keys_with_a_star_give_each_key_tokens_of_its_own(gov: Governance) -> None:
    gov.quotas.define("actor:*", limit=1, per=HOUR, actor=ROOT)
    gov.quotas.define("actor:root", limit=3, per=HOUR, actor=ROOT)
    requests = [ask(gov, quota(f"actor:{who}")) for who in ("ada", "ada", "bob", "root", "root")]
    gov.run_due()
    assert executed(gov, requests) == [True, False, True, True, True]


def test_more_tokens_wake_who_waits(gov: Governance) -> None:
    gov.quotas.define("actor:*", limit=1, per=DAY, actor=ROOT)
    requests = [ask(gov, quota("actor:ada")) for _ in range(3)]
    gov.run_due()
    gov.quotas.define("actor:*", limit=3, per=DAY, actor=ROOT)
    gov.run_due()
    assert executed(gov, requests) == [True, True, True]


def test_tokens_are_taken_last_after_the_window_has_opened(gov: Governance, clock: Clock) -> None:
    gov.quotas.define("deploys", limit=1, per=HOUR, actor=ROOT)
    late = ask(gov, quota("deploys"), schedule(not_before=START + HOUR))
    early = ask(gov, quota("deploys"))
    gov.run_due()
    assert executed(gov, [late, early]) == [False, True]
    clock.now += HOUR
    gov.run_due()
    assert executed(gov, [late]) == [True]


def test_request_that_gets_no_tokens_in_time_expires(gov: Governance, clock: Clock) -> None:
    gov.quotas.define("deploys", limit=1, per=DAY, actor=ROOT)
    requests = [ask(gov, quota("deploys")), ask(gov, quota("deploys"), expires_at=START + HOUR)]
    gov.run_due()
    clock.now += HOUR
    gov.run_due()
    assert gov.request(requests[1]).status is Status.EXPIRED


def test_wrong_quotas_are_refused(gov: Governance) -> None:
    before = gov.log.head()
    with pytest.raises(ConfigurationError, match="no quota nothing"):
        ask(gov, quota("nothing"))
    with pytest.raises(NotAuthorizedError):
        gov.quotas.define("deploys", limit=1, per=HOUR, actor=GRACE)
    wrong: dict[str, Any]
    for wrong in ({"limit": -1}, {"limit": True}, {"limit": 1.5}, {"per": timedelta()}, {"window": "x"}, {"key": ""}):
        given: dict[str, Any] = {"key": "deploys", "limit": 1, "per": HOUR, "actor": ROOT, **wrong}
        with pytest.raises(InputError):
            gov.quotas.define(**given)
    with pytest.raises(ConfigurationError, match="tokens are from 1"):
        quota("deploys", 0)
    assert gov.log.head() == before
    keeper = Actor(id="kay", roles=("quota-keeper",))
    gov.quotas.define("deploys", limit=2, per=HOUR, actor=keeper)
    with pytest.raises(ConfigurationError, match="never 3"):
        ask(gov, quota("deploys", 3))
